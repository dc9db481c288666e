"""Wiring, no mathematics: one short file a stage."""
