"""A file of the inbox: whether it has settled, whose it is, and whose turn it is."""
