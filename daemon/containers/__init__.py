"""The containers that the Docker engine runs for us: hosts of the language models."""
