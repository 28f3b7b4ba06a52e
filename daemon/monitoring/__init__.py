"""What an operator and other programs see: alarms, events, status, metrics, logs."""
