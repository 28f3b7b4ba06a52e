"""The widgets that draw rows."""
