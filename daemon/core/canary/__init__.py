"""The canary: known questions whose answers are compared with those that were recorded."""
