"""The language models: their hosts, their clients, and the handling of their answers."""
