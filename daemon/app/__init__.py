"""The composition root: builds the parts of the daemon from its configuration, and connects them."""
