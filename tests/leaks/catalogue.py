"""All planted leaks, in the order of the stages."""

from tests.leaks import data, universe, features, models, books, reports  # noqa: I001
from tests.leaks.leak import CATALOGUE

__all__ = ["CATALOGUE", "books", "data", "features", "models", "reports", "universe"]
