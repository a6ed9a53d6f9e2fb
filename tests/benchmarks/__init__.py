"""Measurements, run by `make bench`: figures with their circumstances, never assertions about time."""
