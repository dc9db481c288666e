"""Returns, risk, deflated Sharpe and signal quality, over the window of the backtest."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.core import tables
from quant.core.seeds import generator
from quant.core.types import Frame
from quant.evaluation import signal, summary
from quant.governance import trials
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config

LAGS = (0, 5, 10, 21, 42, 63)  # sessions


def ledger(config: "Config") -> trials.Trials:
    """Trials of other configurations on this market, as the ledger knows them now."""
    from quant.config import config_hash
    from quant.stages.ingest import market_id

    return trials.snapshot(Path(config.paths.trials), market_id(config), config_hash(config))


def settings(config: "Config") -> dict[str, Any]:
    """Periods, horizon and the statistics' own settings."""
    return {
        "periods": config.region.periods,
        "horizon": config.model2.label.horizon,
        "evaluation": config.evaluation,
    }


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Metrics of every book, and the signal's quality where it was traded."""
    e, periods, horizon = s["evaluation"], s["periods"], s["horizon"]
    nav, known = f["nav"], c.private
    books = {name: rows.sort_values("date") for name, rows in nav.groupby("book")}
    mine = books["portfolio"]
    found = {name: summary.book(rows, periods) for name, rows in books.items()}
    found["portfolio"] |= summary.against(
        mine, books["benchmark"], periods, e.bootstrap, e.block,
        generator(c.seed, "evaluate", "bootstrap"),
    )  # fmt: skip
    own = found["portfolio"]["sharpe_period"]
    found["portfolio"] |= summary.deflated(
        summary.returns(mine), mine["rf"].to_numpy()[1:], known.n, known.variance(own)
    )
    found |= indices(f["benchmark"], mine, periods)
    rows = traded(f["alpha"], f["labels"], mine)
    daily = signal.ic(rows["date"].to_numpy(), rows["score"].to_numpy(), rows["raw"].to_numpy())
    daily["end"] = rows.groupby("date")["end"].max().to_numpy()
    found["alpha"] = summary.signal_numbers(daily, horizon)
    lags = summary.decay(rows[["date", "symbol", "score"]], rows[["date", "symbol", "raw"]], LAGS)
    metrics = summary.table(found)
    c.metrics.update({f"{r.book}.{r.metric}": r.value for r in metrics.itertuples()})
    return {
        "metrics": metrics,
        "ic": daily,
        "quantiles": summary.quantiles(rows, e.quantiles, horizon),
        "decay": lags,
    }


def traded(alpha: Frame, labels: Frame, nav: Frame) -> Frame:
    """Scores with what followed, on the sessions of the backtest: date, symbol, score, raw, end."""
    first, last = nav["date"].iloc[0], nav["date"].iloc[-1]
    inside = alpha["date"].between(first, last) & alpha["alpha"].notna()
    scored = alpha.loc[inside, ["date", "symbol", "score"]]
    return scored.merge(labels[["date", "symbol", "raw", "end"]], on=["date", "symbol"])


def indices(levels: Frame, nav: Frame, periods: float) -> dict[str, dict[str, float]]:
    """The data's reference indices over the same sessions, one book each."""
    out = {}
    for name, rows in levels.groupby("name"):
        known = rows.set_index("date")["close"].reindex(nav["date"]).ffill()
        daily = known.pct_change().to_numpy()[1:]
        if np.isfinite(daily).all() and daily.std() > 0:
            label = str(name) if bool(rows["total_return"].all()) else f"{name} price index"
            out[label] = summary.series(daily, nav["rf"].to_numpy()[1:], periods)
    return out


STAGE = Stage(
    "evaluate",
    needs=(tables.NAV, tables.ALPHA, tables.LABELS, tables.BENCHMARK),
    makes=(tables.METRICS, tables.IC, tables.QUANTILES, tables.DECAY),
    settings=settings,
    private=ledger,
    external=lambda c: ledger(c).digest(),
    run=run,
    module=__name__,
)
