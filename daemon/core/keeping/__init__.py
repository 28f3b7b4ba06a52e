"""How long something was kept, and what names a student."""
