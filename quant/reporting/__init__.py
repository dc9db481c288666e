"""The immutable report: one self-contained HTML page, drawn from plain tables."""
