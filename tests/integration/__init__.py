"""One adapter against the real thing that it adapts."""
