"""Returns, risk, deflated Sharpe and signal quality, over the window of the backtest."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant.core import horizons, logs, tables
from quant.core.seeds import generator
from quant.core.types import Frame, Vector
from quant.evaluation import clusters, compare, overfit, reliability, signal, slices, summary
from quant.evaluation.clusters import Trial
from quant.governance import trials
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config

LAGS = (0, 5, 10, 21, 42, 63)  # sessions


_snapshots: dict[str, trials.Trials] = {}


def external(config: "Config") -> str:
    """Digest of the other trials on this market, as the ledger knows them now.

    What is read here is what the stage runs on, though the ledger may have grown meanwhile.
    """
    from quant.config import config_hash

    found = _snapshots[config_hash(config)] = snapshot(config)
    return found.digest()


def ledger(config: "Config") -> trials.Trials:
    """The trials whose digest entered the key."""
    from quant.config import config_hash

    return _snapshots.pop(config_hash(config), None) or snapshot(config)


def snapshot(config: "Config") -> trials.Trials:
    """Trials of other configurations on this market, as far as the run may see."""
    from quant.config import config_hash, run_name
    from quant.stages.ingest import market_id

    path = Path(config.paths.trials)
    last = config.last_seen
    return trials.snapshot(path, market_id(config), config_hash(config), run_name(config), last)


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
    books = {name: rows.sort_values("date") for name, rows in f["nav"].groupby("book")}
    mine = books["portfolio"]
    daily = summary.daily(mine, books["benchmark"])
    found = {name: summary.book(rows, periods) for name, rows in books.items()}
    found["portfolio"] |= summary.against(
        mine, books["benchmark"], periods, e.bootstrap, e.block,
        generator(c.seed, "evaluate", "bootstrap"),
    )  # fmt: skip
    tried = (c.private or trials.Trials()).with_own(found["portfolio"]["sharpe_period"], daily)
    ideas = clusters.ideas(tried, e.same_idea)
    found["portfolio"] |= luck(daily, tried, ideas) | chosen(c.private or trials.Trials(), daily)
    found |= indices(f["benchmark"], mine, periods)
    rows = traded(f["alpha"], horizons.at(f["labels"], horizon), mine)
    ic = signal.ic(rows["date"].to_numpy(), rows["score"].to_numpy(), rows["raw"].to_numpy())
    ic["end"] = rows.groupby("date")["end"].max().to_numpy()
    found["alpha"] = summary.signal_numbers(ic, horizon) | reliability.slope(rows, horizon)
    found["alpha"] |= reliability.turnover(rows)
    lags = summary.decay(rows[["date", "symbol", "score"]], rows[["date", "symbol", "raw"]], LAGS)
    metrics = summary.table(found)
    c.metrics.update({f"{r.book}.{r.metric}": r.value for r in metrics.itertuples()})
    return {
        "metrics": metrics,
        "ic": ic,
        "quantiles": summary.quantiles(rows, e.quantiles, horizon),
        "decay": lags,
        "signal_slices": sliced(rows, f, horizon),
        "calibration_check": reliability.deciles(rows, horizon),
        "trials": ledgered(tried, ideas),
        "comparisons": comparisons(mine, daily, f["benchmark"], s, c.seed),
    }


def sliced(rows: Frame, f: Inputs, horizon: int) -> Frame:
    """SIGNAL_SLICES of the sessions of the backtest; rows : as `traded` returns them."""
    daily = slices.days(rows)
    years = pd.Series(daily["date"].dt.year.to_numpy(), index=daily["date"])
    group = rows.merge(f["membership"], on=["date", "symbol"], how="left")["group_id"]
    date = rows["date"].to_numpy()
    size = slices.terciles(date, slices.sizes(rows, f["members"]))
    doubt = slices.terciles(date, rows["uncertainty"].to_numpy())
    scores = rows[["date", "symbol", "score"]]
    made = [
        slices.by_day("year", daily, years, horizon),
        slices.by_horizon(scores, f["labels"]),
        slices.by_name("industry", rows, group, horizon),
        slices.by_name("size", rows, size, horizon),
        slices.by_name("uncertainty", rows, doubt, horizon),
    ]
    made += [
        slices.by_day(name, daily, state, horizon)
        for name, state in slices.market(market(f["benchmark"])).items()
    ]
    return pd.concat([part for part in made if len(part)], ignore_index=True)


def market(levels: Frame) -> pd.Series:
    """(n_dates,) level of the reference index with the longest history, by date."""
    name = levels.groupby("name").size().sort_index(ascending=False).idxmax()
    mine = levels[levels["name"] == name].sort_values("date")
    return mine.set_index("date")["close"]


def luck(daily: Frame, tried: list[Trial], ideas: clusters.Ideas) -> dict[str, float]:
    """What the number of trials leaves of the Sharpe ratio, and PBO where it can be told.

    dsr counts ideas; dsr_configs every configuration as if it were one.
    """
    own, cash = daily["book"].to_numpy(), daily["rf"].to_numpy()
    out = summary.deflated(own, cash, ideas.n, ideas.variance)
    spread = clusters.variance(np.array([t.sharpe for t in tried]))
    out["n_configs"] = float(len(tried))
    out["dsr_configs"] = summary.deflated(own, cash, len(tried), spread)["dsr"]
    shared = clusters.excess(tried).reindex(daily["date"]).dropna(axis=1)
    out["pbo"] = overfit.pbo(shared.to_numpy())
    return out


def chosen(known: trials.Trials, daily: Frame) -> dict[str, float]:
    """How many settings were tried on labels alone, and how many of these labels are in `daily`.

    Only the latter looked at the backtest; they are counted among its trials.
    """
    start = str(daily["date"].iloc[0].date())
    return {"n_tuned": float(len(known.tuned)), "n_tuned_inside": float(len(known.looked(start)))}


def ledgered(tried: list[Trial], ideas: clusters.Ideas) -> Frame:
    """TRIALS rows; the run's own trial is the last of `tried`."""
    return pd.DataFrame(
        {
            "config_hash": [t.config_hash for t in tried],
            "name": [t.name for t in tried],
            "sharpe_period": [t.sharpe for t in tried],
            "n_obs": [t.n_obs for t in tried],
            "cluster": ideas.cluster,
            "own": [t is tried[-1] for t in tried],
        }
    )


def comparisons(nav: Frame, daily: Frame, levels: Frame, s: Mapping[str, Any], seed: int) -> Frame:
    """COMPARISONS of the portfolio with its benchmark and the total-return indices of its sessions.

    Without rows where the window is too short to compare on.
    """
    block, draws = s["evaluation"].block, s["evaluation"].bootstrap
    others = {"benchmark": daily["benchmark"].to_numpy()} | total_returns(levels, nav)
    rows = []
    for name, other in others.items():
        if not compare.enough(len(daily), block):
            logs.event(f"{len(daily)} sessions are too few to compare Sharpe ratios on")
            break
        cash = daily["rf"].to_numpy()
        found = compare.sharpe_difference(
            daily["book"].to_numpy() - cash, other - cash, s["periods"], block, draws,
            generator(seed, "evaluate", "compare", name),
        )  # fmt: skip
        rows.append({"book": "portfolio", "other": name, **asdict(found)})
    return pd.DataFrame(rows, columns=list(tables.COMPARISONS.schema.names))


def total_returns(levels: Frame, nav: Frame) -> dict[str, Vector]:
    """Daily returns of the indices with dividends that have a level on every session of `nav`."""
    out = {}
    for name, rows in levels[levels["total_return"]].groupby("name"):
        level = rows.set_index("date")["close"].reindex(nav["date"]).to_numpy(np.float64)
        change = level[1:] / level[:-1] - 1.0
        if np.isfinite(change).all() and change.std() > 0:
            out[str(name)] = change
    return out


def traded(alpha: Frame, labels: Frame, nav: Frame) -> Frame:
    """Scores with what followed, on the sessions of the backtest.

    Returns : date, symbol, score, uncertainty, alpha, raw, end
    """
    first, last = nav["date"].iloc[0], nav["date"].iloc[-1]
    inside = alpha["date"].between(first, last) & alpha["alpha"].notna()
    scored = alpha.loc[inside, ["date", "symbol", "score", "uncertainty", "alpha"]]
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
    needs=(
        tables.NAV,
        tables.ALPHA,
        tables.LABELS,
        tables.BENCHMARK,
        tables.MEMBERSHIP,
        tables.MEMBERS,
    ),
    makes=(
        tables.METRICS,
        tables.IC,
        tables.QUANTILES,
        tables.DECAY,
        tables.SIGNAL_SLICES,
        tables.CALIBRATION_CHECK,
        tables.TRIALS,
        tables.COMPARISONS,
    ),
    settings=settings,
    private=ledger,
    external=external,
    run=run,
    module=__name__,
)
