"""The tables of a simulated market, from its day matrices."""

import numpy as np
import pandas as pd

from quant.core.panel import Panel
from quant.core.tables import BARS
from quant.core.types import Frame
from quant.market import cn
from quant.market.events import Status
from quant.market.names import Names
from quant.market.record import Record
from quant.market.region import YEAR
from quant.market.spec import MarketSpec
from quant.market.world import World

BENCHMARK = "SIM500"
LONG_AGO = np.datetime64("1990-12-19")


def _stamps(days: np.ndarray) -> np.ndarray:
    return np.asarray(days).astype("datetime64[ns]")


def bars(spec: MarketSpec, names: Names, record: Record) -> Frame:
    """Raw bars of the days on which each name traded."""
    fields = {**record.fields, "is_st": record.is_st}
    frame = Panel(spec.sessions, names.symbols, fields).long(keep=record.trading)
    return frame[BARS.schema.names]


def actions(spec: MarketSpec, names: Names, record: Record) -> Frame:
    """Dividends a share and splits on their ex-dates."""
    rows = np.array(record.actions, dtype=float).reshape(-1, 4)
    return pd.DataFrame(
        {
            "date": _stamps(spec.sessions[rows[:, 0].astype(int)]),
            "symbol": names.symbols[rows[:, 1].astype(int)],
            "dividend": rows[:, 2],
            "split": rows[:, 3],
        }
    )


def industries(spec: MarketSpec, names: Names, rng: np.random.Generator) -> Frame:
    """Point-in-time spells: sector and industry (US), Shenwan level 1 by scheme (CN)."""
    rows, draws = [], rng.random(names.size)
    for i, symbol in enumerate(names.symbols):
        label = names.industries[names.industry[i]]
        if spec.region != "cn":
            group = names.sectors[names.parent[names.industry[i]]]
            rows.append((symbol, LONG_AGO, None, label, group))
            continue
        spells = cn.scheme(label, draws[i])
        for k, (first, code) in enumerate(spells):
            last = spells[k + 1][0] - np.timedelta64(1, "D") if k + 1 < len(spells) else None
            if first <= spec.end and (last is None or last >= spec.start):
                open_end = last is None or last > spec.end
                rows.append((symbol, first, None if open_end else last, code, code))
    frame = pd.DataFrame(rows, columns=["symbol", "in_date", "out_date", "industry_id", "group_id"])
    for column in ("in_date", "out_date"):
        frame[column] = frame[column].astype("datetime64[ns]")
    return frame


def listings(spec: MarketSpec, world: World, rng: np.random.Generator) -> Frame:
    """First and last sessions; names that were there before list up to 15 years earlier."""
    names, status = world.names, world.status
    before = spec.start - rng.integers(500, 15 * 365, names.size).astype("timedelta64[D]")
    listed = np.where(names.list_day > 0, spec.sessions[np.maximum(names.list_day, 0)], before)
    gone = np.where(status.gone >= 0, spec.sessions[status.gone], np.datetime64("NaT"))
    return pd.DataFrame(
        {
            "symbol": names.symbols,
            "list_date": _stamps(listed),
            "delist_date": _stamps(gone),
            "board": names.board,
            "delist_return": status.payoff,
            "truncated": np.zeros(names.size, bool),
        }
    )


def index_members() -> Frame:
    """No index membership: the benchmark holds every name."""
    dates = pd.Series(dtype="datetime64[ns]")
    text = pd.Series(dtype=object)
    return pd.DataFrame({"index": text, "symbol": text, "in_date": dates, "out_date": dates})


def benchmark(spec: MarketSpec, status: Status, record: Record) -> Frame:
    """Total return of all listed names by free-float value, 1000 on the first session."""
    close, factor = record.fields["close"], record.fields["factor"]
    level = close * factor
    gain = level[1:] / level[:-1] - 1
    value = np.where(record.alive, close * record.fields["float_shares"], 0.0)[:-1]
    gone = np.flatnonzero((status.gone >= 0) & (status.gone < spec.sessions.size - 1))
    gain[status.gone[gone], gone] = status.payoff[gone]
    daily = (value * gain).sum(axis=1) / value.sum(axis=1)
    return pd.DataFrame(
        {
            "date": _stamps(spec.sessions),
            "name": BENCHMARK,
            "close": 1000 * np.cumprod(np.concatenate([[1.0], 1 + daily])),
            "total_return": True,
        }
    )


def rates(spec: MarketSpec, rng: np.random.Generator) -> Frame:
    """Risk-free rate a session: slow, between 0 and 6 % a year."""
    noise = rng.standard_normal(spec.sessions.size)
    yearly, path = 0.02, np.empty(noise.size)
    for day in range(noise.size):
        path[day] = yearly
        yearly = float(np.clip(yearly + 0.002 * (0.02 - yearly) + 0.0004 * noise[day], 0.0, 0.06))
    return pd.DataFrame({"date": _stamps(spec.sessions), "rf": path / YEAR})


def notes(spec: MarketSpec, seed: int) -> Frame:
    """What every report must say."""
    planted = (
        f"with a planted signal of information coefficient {spec.alpha_ic:g}"
        if spec.alpha_ic
        else "without any planted signal"
    )
    text = (
        f"All prices, companies and events are simulated (embedded {spec.region.upper()} market, "
        f"seed {seed}, {spec.n_names} names, {planted}): nothing here says anything about real "
        "markets or real performance."
    )
    return pd.DataFrame({"topic": ["SIMULATED"], "text": [text]})
