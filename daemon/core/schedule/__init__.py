"""The scheduler, what it decides on, and the world that runs it forward without a clock."""
