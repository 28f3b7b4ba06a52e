"""Which engines go where on this machine, and the policy that follows from it."""
