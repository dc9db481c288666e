"""What a simulated market is asked for, and what it hands over."""

from dataclasses import dataclass, field

import numpy as np

from quant.core.errors import ConfigError
from quant.core.types import Dates, Frame

REGIONS = ("us", "cn")


@dataclass(frozen=True)
class MarketSpec:
    """One market to simulate; everything that is not here follows from the region.

    region    : "us" or "cn"
    sessions  : (n_days,) datetime64[D] of the exchange calendar, strictly increasing
    n_names   : names that ever exist, 10 to 5000
    alpha_ic  : >= 0; cross-sectional correlation of the expected residual return over 21
                sessions with the realised one. Zero plants nothing: expected residual returns
                are then the same for all names
    initial   : share of the names that are listed before the first session
    Raises ConfigError where a value is out of range.
    """

    region: str
    sessions: Dates
    n_names: int = 300
    alpha_ic: float = 0.05
    initial: float = 0.8

    def __post_init__(self) -> None:
        days = np.asarray(self.sessions).astype("datetime64[D]")
        object.__setattr__(self, "sessions", days)
        if self.region not in REGIONS:
            raise ConfigError(
                f"region={self.region!r} can not be simulated; choose one of {REGIONS}."
            )
        if days.size < 2 or not (np.diff(days).astype(int) > 0).all():
            raise ConfigError(
                f"a simulated market needs at least two increasing sessions, got {days.size}; "
                "pass the exchange calendar between start and end."
            )
        if not 10 <= self.n_names <= 5000:
            raise ConfigError(
                f"n_names={self.n_names} is outside [10, 5000]; choose a number of names in it."
            )
        if not 0 <= self.alpha_ic <= 0.5:
            raise ConfigError(
                f"alpha_ic={self.alpha_ic:g} is outside [0, 0.5]; it is a correlation, 0 plants "
                "no alpha and 0.05 is a good real signal."
            )
        if not 0.1 <= self.initial <= 1:
            raise ConfigError(f"initial={self.initial:g} is outside [0.1, 1]; it is a share.")

    @property
    def start(self) -> np.datetime64:
        """First session."""
        return self.sessions[0]

    @property
    def end(self) -> np.datetime64:
        """Last session."""
        return self.sessions[-1]


@dataclass(frozen=True)
class SimulatedMarket:
    """A market in the schemas of `quant.core.tables`, and the truth behind it.

    truth : for tests only, never an input of a model
        market     (date, regime, drift, vol, correlation): decimals a session
        industry   (date, industry_id, trend, turbulent, drift, vol)
        loadings   (symbol, sector, industry_id, beta, size, value, growth, idio_vol)
        factors    (date, factor, ret): zero-mean factor returns, decimal
        alpha      (date, symbol, daily, expected): what is known at the close of `date`:
                   expected residual return of the next session, and of the next 21
    """

    bars: Frame
    actions: Frame
    industries: Frame
    listings: Frame
    index_members: Frame
    benchmark: Frame
    rates: Frame
    notes: Frame
    truth: dict[str, Frame] = field(repr=False)
