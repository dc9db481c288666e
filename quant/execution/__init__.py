"""From targets to orders: lots, limits, suspensions."""
