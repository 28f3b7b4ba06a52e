"""The scheduler, the values of its decisions, and the simulation that runs it forward without a clock."""
