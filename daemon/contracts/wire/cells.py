"""How a value stands in a table that people open in a spreadsheet."""

from daemon.core.classes.cells import cell as cell
