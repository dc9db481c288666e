"""One day loop, the numpy ledger and the Qlib reference engine."""
