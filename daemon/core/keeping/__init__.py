"""Retention times, and the traces of a student."""
