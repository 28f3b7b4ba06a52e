"""The core alone: values in, values out."""
