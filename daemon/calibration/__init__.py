"""Calibration of the ratings by people: its files, its report, and its use in the database."""
