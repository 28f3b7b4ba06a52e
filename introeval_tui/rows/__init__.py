"""The rows of the screens, as pure functions of a snapshot."""
