"""The configuration file: its tables, and how it is loaded and checked."""
