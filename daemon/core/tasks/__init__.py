"""A task's states, their table of transitions, and how faults change them."""
