"""Real and simulated data: providers, adjustment, calendars, quality, universe, Qlib store."""
