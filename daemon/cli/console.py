"""The consoles of the commands that print in colours."""

from rich.console import Console

OUT = Console()
ERR = Console(stderr=True)
