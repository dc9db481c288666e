"""Deliberately leaky variants of the pipeline: each inflates a result, and each must be caught."""
