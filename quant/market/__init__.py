"""The embedded simulated market, with known truth and optional planted alpha."""
