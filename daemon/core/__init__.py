"""The functional core: values in, values out. No clock, disk, log or await."""
