"""Covariance in factor form and the scoring of risk forecasts."""
