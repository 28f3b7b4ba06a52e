"""The fairness card: the shift of each score by changes that leave the content, and what follows from it."""
