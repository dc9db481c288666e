"""Errors, types, seeds, tables, store, fingerprints, logs: what every room may import."""
