"""The rules that find words spoken to the grader instead of to the listener."""
