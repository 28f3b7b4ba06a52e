"""The states of a task, their table of transitions, and the effects of faults."""
