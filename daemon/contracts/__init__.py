"""The contracts between all parts: protocols, the values that cross them, and the control socket's types."""
