"""The contracts that all parts share: protocols, the values that cross them, and the types of the control socket."""
