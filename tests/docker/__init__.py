"""A real Docker engine of the tests' own, and what is run in its containers."""
