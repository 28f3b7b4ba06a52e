"""Proofs that nothing is lost and nothing comes twice: `python -m tests.torture`."""
