"""Markets without signal and with a known one, and what a book earns on them beside its benchmark.

For the null and the planted benchmarks and their tests. All returns are daily decimals.
"""

from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from quant import settings
from quant.core import horizons, tables
from quant.core.seeds import generator
from quant.core.types import Frame, Vector
from quant.data import calendar
from quant.data.providers.sim import Sim
from quant.evaluation import signal, summary
from quant.stages import backtest, costs, features, model1, model2, replay, rl_train, universe
from quant.stages.registry import Stage
from tests.pipeline import Frames, through

SPAN = date(2010, 1, 4), date(2013, 12, 31)
START_UP = 42  # sessions until the turnover limit has let the book in
SLOPE = 5e-3  # alpha of one unit of score over 21 sessions, where scores are traded as they are
RAW = ("bars", "actions", "industries", "listings", "index_members", "benchmark", "rates")


def small(region: str = "us", horizon: int = 21) -> settings.Config:
    """Settings for some sixty names and four years, with no cost and no volatility target."""
    return settings.Config(
        region=settings.Region(name=region, periods=calendar.periods_per_year(region)),
        universe=settings.Universe(min_history=126),
        model2=settings.Model2(
            threads=1,
            horizons=[horizon],
            label=settings.Label(horizon, [horizon]),
            cpcv=settings.Cpcv(embargo=10),
            walk_forward=settings.WalkForward(
                min_train_years=0.7, calibration_min_dates=63, calibration_bins=10
            ),
            boost=settings.Boost(rounds=20, min_data=50, cpcv_rounds=10),
        ),
        optimizer=settings.Optimizer(
            name_max=0.1, turnover=settings.Turnover(1.0), rebalance_every=21
        ),
    )


def unhindered(config: settings.Config) -> settings.Config:
    """No costs, and a volatility target that never binds.

    Volatility foretells the simulated market's drift (bear and crisis regimes), so a target on it
    would earn an alpha to the benchmark that no stock signal had any part in.
    """
    return replace(
        config,
        costs=settings.Costs(multiplier=0.0, statutory=False),
        optimizer=replace(config.optimizer, vol_target=settings.VolTarget(2.0)),
    )


def drawn(
    region: str, names: int, alpha_ic: float, seed: int, span: tuple[date, date] = SPAN
) -> tuple[Frames, Frames]:
    """The tables of ingest for a simulated market, and the truth behind it."""
    made = Sim(region, seed, names, alpha_ic).simulate(*span)
    sessions = calendar.sessions(region, *span).astype("datetime64[ns]")
    given = {name: getattr(made, name) for name in RAW}
    given |= {"sessions": pd.DataFrame({"date": sessions}), "intraday": tables.INTRADAY.empty()}
    return given, made.truth


def run(config: settings.Config, frames: Frames, *stages: Stage) -> Frames:
    """`frames` and what the stages make of them."""
    with TemporaryDirectory() as folder:
        return through(config, frames, Path(folder), stages)


def prepared(config: settings.Config, frames: Frames) -> Frames:
    """With universe, features and labels."""
    return run(config, frames, universe.STAGE, features.STAGE)


def modelled(config: settings.Config, frames: Frames) -> Frames:
    """With walk-forward scores and calibrated alphas."""
    return run(config, frames, model2.STAGE)


def book(config: settings.Config, frames: Frames, alpha: Frame | None = None) -> Frames:
    """With the backtest, of other alphas where they are given."""
    given = frames if alpha is None else frames | {"alpha": alpha}
    return run(
        config, given, model1.STAGE, replay.STAGE, costs.STAGE, rl_train.STAGE, backtest.STAGE
    )


def neutral(values: Vector, alpha: Frame, membership: Frame) -> Vector:
    """(n_rows,) `values` of the rows of `alpha`, less the mean of the day's industry."""
    rows = alpha[["date", "symbol"]].merge(membership, on=["date", "symbol"], how="left")
    whole = pd.Series(values).groupby([rows["date"], rows["industry_id"]])
    return values - whole.transform("mean").to_numpy()


def unshrunk(alpha: Frame, membership: Frame, horizon: int) -> Frame:
    """Alphas in proportion to the score, in the place of calibrated ones.

    Calibration shrinks a score without history to an alpha of zero: the book is then the benchmark
    and no test of its return can fail. This book always bets.
    """
    slope = SLOPE * np.sqrt(horizon / 21)
    made = neutral(slope * alpha["score"].to_numpy(), alpha, membership)
    return alpha.assign(alpha=np.where(alpha["alpha"].notna(), made, np.nan))


def permuted(alpha: Frame, seed: int) -> Frame:
    """The same alphas on every date, each on a name drawn at random: the control."""
    known = alpha["alpha"].notna().to_numpy()
    rows = alpha[known]
    order = generator(seed, "null", "control").random(len(rows))
    shuffled = np.lexsort((order, rows["date"].to_numpy()))
    made = alpha["alpha"].to_numpy().copy()
    made[known] = rows["alpha"].to_numpy()[shuffled]
    return alpha.assign(alpha=made)


def excess(nav: Frame, name: str) -> Vector:
    """(n_days,) return of one book less cash, from the day on which it is invested."""
    rows = nav[nav["book"] == name].sort_values("date")
    return (summary.returns(rows) - rows["rf"].to_numpy()[1:])[START_UP:]


def net(nav: Frame) -> Vector:
    """(n_days,) excess return of the portfolio less beta x that of its benchmark.

    beta : by least squares over the run
    """
    mine, market = excess(nav, "portfolio"), excess(nav, "benchmark")
    beta = np.cov(mine, market)[0, 1] / market.var(ddof=1)
    return mine - beta * market


def daily_ic(alpha: Frame, labels: Frame, horizon: int = 21) -> Frame:
    """Correlation of score and residual return on every session with alphas: date, ic, rank_ic."""
    keys = ["date", "symbol"]
    scored = alpha.loc[alpha["alpha"].notna(), [*keys, "score"]]
    rows = scored.merge(horizons.at(labels, horizon)[[*keys, "raw"]], on=keys)
    return signal.ic(rows["date"].to_numpy(), rows["score"].to_numpy(), rows["raw"].to_numpy())


def apart(daily: Frame, horizon: int) -> Vector:
    """(n,) the IC of every `horizon` + 1 st session: their labels have no session in common."""
    return daily["ic"].dropna().to_numpy()[:: horizon + 1]


def peeking(features: Frame) -> Frame:
    """Features of the session after: a leak of one day."""
    names = features.columns.drop(["date", "symbol"])
    return features.assign(**features.groupby("symbol")[list(names)].shift(-1))


def shuffled(
    labels: Frame, seed: int, block: int = 63, reach: int = 8, names: bool = True
) -> Frame:
    """Labels whose features are those of another time, and with `names` of another name.

    A block of sessions takes the labels of an earlier one, day by day, at most `reach` blocks
    before: a later one would bring the future into training. Slow traits of a name (size,
    turnover) pay in every block, so time alone makes no null; with `names` the names of a block
    take those of the names of the other, drawn once a block: a day's labels stay together, and so
    do a name's days.

    labels  : LABELS table
    Returns : LABELS table without the first block, and without rows that find no other label
    """
    rng = generator(seed, "null", "blocks")
    days, position = np.unique(labels["date"].to_numpy(), return_inverse=True)
    number = position // block
    parts = []
    for b in range(1, number.max() + 1):
        a = int(rng.integers(max(0, b - reach), b))
        own, other = labels[number == b], labels[number == a]
        moved = np.minimum(position[number == a] + (b - a) * block, days.size - 1)
        other = other[["symbol", "horizon", "raw", "label"]].assign(date=days[moved])
        if names:
            other["symbol"] = other["symbol"].map(_partners(own["symbol"], other["symbol"], rng))
        keys = ["date", "symbol", "horizon"]
        other = other.dropna(subset=["symbol"]).drop_duplicates(keys)
        parts.append(own[[*keys, "end"]].merge(other, on=keys))
    return pd.concat(parts, ignore_index=True)[list(labels.columns)]


def _partners(own: pd.Series, other: pd.Series, rng: np.random.Generator) -> dict[str, str]:
    """Name of the other block -> name of this one, at random, as many as there are of both."""
    mine, theirs = rng.permutation(own.unique()), rng.permutation(other.unique())
    return dict(zip(theirs, mine, strict=False))
