"""The composition root: makes the parts of the daemon from its configuration, and connects them."""
