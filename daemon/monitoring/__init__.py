"""Alarms, events, status, metrics and logs: all that an operator and other programs can see."""
