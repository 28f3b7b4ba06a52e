"""Faults of machines, of Ray and of the network in mid-class: the real daemon over real Ray."""
