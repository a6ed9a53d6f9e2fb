"""The solver: a `Problem` value in, a `Plan` value out. It knows intervals and slots, and nothing of laboratories."""
