"""Accounts of what was run: the trial ledger."""
