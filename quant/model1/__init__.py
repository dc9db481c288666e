"""Model 1: the state of every industry, as of each day, and what the optimizer makes of it."""
