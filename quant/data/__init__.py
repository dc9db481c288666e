"""Market data: providers, calendars, adjustment, rules, universe, industries and quality."""
