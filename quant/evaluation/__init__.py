"""Splits, performance statistics and their honest versions."""
