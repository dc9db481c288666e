"""The controller on the sessions kept for the test, beside all that it could have been instead."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from quant.core import tables
from quant.core.seeds import derive
from quant.core.types import Frame
from quant.optimizer.knobs import HIGH, LOW, NAMES, Knobs
from quant.rl import rivals
from quant.rl.action import HIT, share
from quant.rl.network import Policy
from quant.rl.rivals import Book, Job
from quant.rl.workers import Workers
from quant.stages import rl
from quant.stages.registry import Context, Inputs, Stage

MADE = (tables.RL_BOOKS, tables.RL_KNOBS, tables.RL_SAFETY)
# who is played beside the policies; see table rl_books
FIXED, NO_RL, RANDOM, RULE, NO_TILT, RL = "fixed", "no_rl", "random", "rule", "no_tilt", "rl"
START = "start"  # the constant setting where training began


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Every book from the close before the first test session to the last; nothing when off.

    Raises ConfigError where the data do not reach the test.
    """
    if not s["enabled"]:
        return rl.empties(*MADE)
    made = rl.world(s, f, c)
    dates = made.scene.dates
    known = np.flatnonzero(~np.isnan(made.policy.signals.alpha).all(axis=1))
    first, last = rl.tested(s["rl"]["splits"], dates, int(known[-1]))
    made = rl.prepared(made, c, first, last)
    info, search = f["policy_info"], f["rl_search"]
    fixed, start = (_best(search, use) for use in ("search", "start"))
    policies = {int(k): Policy.of(f["policy"], info, int(k)) for k in info["seed"]}
    steers = int(info.loc[info["steers"], "seed"].iloc[0])
    jobs = {(RL, k): Job(policy, first, last) for k, policy in policies.items()}
    jobs |= {(FIXED, 0): Job(fixed, first, last), (NO_RL, 0): Job(None, first, last)}
    jobs |= {(START, 0): Job(start, first, last)} if start else {}
    jobs |= {(RULE, 0): Job("rule", first, last)}
    jobs |= {(NO_TILT, 0): Job(policies[steers], first, last, tilts=False)}
    jobs |= {
        (RANDOM, k): Job("random", first, last, seed=derive(c.seed, "rl", "random", str(k)))
        for k in range(s["rl"]["random"])
    }
    with Workers(made, None, 0, c.private.workers, c.scratch) as workers:
        books = dict(zip(jobs, workers.map(rivals.played, list(jobs.values())), strict=True))
    safety = _safety([book for (name, _), book in books.items() if name == RL])
    c.metrics["rl.decisions"] = float(safety["decisions"].iloc[0])
    c.metrics["rl.outside_bounds"] = float(safety["outside"].max())
    c.metrics["rl.worst_bound_hits"] = float((safety["hit_low"] + safety["hit_high"]).max())
    return {
        "rl_books": pd.concat([_days(key, b, dates) for key, b in books.items()]),
        "rl_knobs": pd.concat([_knobs(key, b, dates, last) for key, b in books.items()]),
        "rl_safety": safety,
    }


def _best(search: Frame, use: str) -> Knobs | None:
    """The best constant setting of a search; None where there was none of that use."""
    rows = search[(search["use"] == use) & search["best"]]
    return Knobs(**{name: float(rows.iloc[0][name]) for name in NAMES}) if len(rows) else None


def _days(key: tuple[str, int], book: Book, dates: np.ndarray) -> Frame:
    first = int(book.sessions[0]) + 1
    span = dates[first : first + book.returns.size].astype("datetime64[ns]")
    return pd.DataFrame(
        {
            "book": key[0], "seed": key[1], "date": span, "ret": book.returns, "rf": book.rf,
            "cost": book.cost, "turnover": book.turnover,
        }
    )  # fmt: skip


def _knobs(key: tuple[str, int], book: Book, dates: np.ndarray, last: int) -> Frame:
    columns = dict(zip(NAMES, book.knobs.T, strict=True))
    parts = dict(zip(("gain", "cost", "drawdown", "volatility"), book.parts.T, strict=True))
    # what a decision led to is known when the next one is taken
    ends = np.r_[book.sessions[1:], last]
    return pd.DataFrame(
        {
            "book": key[0],
            "seed": key[1],
            "date": dates[book.sessions].astype("datetime64[ns]"),
            **columns,
            **parts,
            "relaxed": list(book.relaxed),
            "known": dates[ends].astype("datetime64[ns]"),
        }
    )


def _safety(books: list[Book]) -> Frame:
    values = np.vstack([book.knobs for book in books])
    shares = np.array([share(Knobs(*row)) for row in values])
    return pd.DataFrame(
        {
            "knob": NAMES,
            "decisions": len(values),
            "outside": ((values < LOW) | (values > HIGH)).mean(axis=0),
            "hit_low": (shares <= HIT).mean(axis=0),
            "hit_high": (shares >= 1.0 - HIT).mean(axis=0),
        }
    )


STAGE = Stage(
    "rl_eval",
    needs=(*rl.NEEDS, tables.POLICY, tables.POLICY_INFO, tables.RL_SEARCH),
    makes=MADE,
    settings=rl.settings,
    private=rl.private,
    run=run,
    module=__name__,
)
