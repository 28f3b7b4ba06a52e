"""IntroEval's dashboard: shows the daemon's state in a terminal, and sends the operator's requests."""
