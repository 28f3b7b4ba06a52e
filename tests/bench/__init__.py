"""Measurements with goals: `python -m tests.bench [NAME...]`."""
