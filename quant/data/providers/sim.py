"""The embedded simulated market as a provider: the default source, marked SIMULATED."""

import hashlib
from dataclasses import dataclass
from datetime import date

from quant import market
from quant.data import calendar
from quant.data.providers.base import TABLES, RawMarket


@dataclass(frozen=True)
class Sim:
    """Provider `sim`: one market for each range of dates and seed.

    region   : "us" or "cn"
    n_names  : names that ever exist in the range;   alpha_ic : planted signal, 0 for none
    seed     : names the market; another seed is another market
    """

    region: str
    seed: int
    n_names: int = 300
    alpha_ic: float = 0.05

    def fetch(self, start: date, end: date) -> RawMarket:
        """Simulate the sessions from `start` to `end`; a different start is a different market."""
        made = self.simulate(start, end)
        # the simulated market has daily bars alone
        tables = [name for name in TABLES if name != "intraday"]
        return RawMarket(**{name: getattr(made, name) for name in tables})

    def simulate(self, start: date, end: date) -> market.SimulatedMarket:
        """The same market with the truth behind it, for tests."""
        sessions = calendar.sessions(self.region, start, end)
        spec = market.MarketSpec(self.region, sessions, self.n_names, self.alpha_ic)
        return market.simulate(spec, self.seed)

    def fingerprint(self) -> str:
        """Digest of the settings: nothing else decides what the market is."""
        return hashlib.sha256(repr(self).encode()).hexdigest()
