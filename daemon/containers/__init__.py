"""The hosts of the language models in the docker runtime: containers of the Docker engine."""
