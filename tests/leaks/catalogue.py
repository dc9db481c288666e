"""All planted leaks, in the order of the stages."""

from tests.leaks import books, data, features, models, universe
from tests.leaks.leak import CATALOGUE

__all__ = ["CATALOGUE", "books", "data", "features", "models", "universe"]
