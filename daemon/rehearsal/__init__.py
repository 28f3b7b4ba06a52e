"""A rehearsal: a synthetic class on this machine's real engines, in folders of its own, seen from outside."""
