"""The cost expression that optimizer and ledger share, and statutory fees."""
