"""The one writer of task states: observes, decides, commits and acts."""
