"""The language models: who hosts them, how they are asked, and what becomes of their answers."""
