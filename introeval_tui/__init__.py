"""IntroEval's dashboard: what the daemon does, in a terminal."""
