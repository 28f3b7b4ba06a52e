"""Rows of the screens as pure functions of what is known."""
