"""Classes: the roster, the standing of each student, decisions and release."""
