"""When training stops: no improvement worth the name over a number of looks."""

from collections.abc import Iterable

_ROUNDING = 1e-12  # 0.15 is 0.02 better than 0.13, whatever floats say


class Plateau:
    """Stops after `patience` looks in a row that do not beat the best by `least`.

    The best moves on a qualifying improvement alone, so slow steady gains add up until they
    qualify (specification 4.2; case 09_early_stop).
    """

    def __init__(self, least: float = 0.02, patience: int = 5) -> None:
        self.least, self.patience = least, patience
        self.best = -float("inf")
        self.since = 0

    def look(self, value: float) -> bool:
        """Whether `value`, the newest, ends the training; NaN is no improvement."""
        if value >= self.best + self.least - _ROUNDING:
            self.best, self.since = value, 0
        else:
            self.since += 1
        return self.since >= self.patience


def stops_at(values: Iterable[float], least: float = 0.02, patience: int = 5) -> int | None:
    """Index of the look that ends the training, None where none does."""
    plateau = Plateau(least, patience)
    return next((i for i, value in enumerate(values) if plateau.look(value)), None)
