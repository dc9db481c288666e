"""What calibration is for: one simple signal, turned into alphas in two ways, traded alike.

Run: python -m tests.benchmarks.calibration [--start 2014-01-02] [--end 2015-12-31] [--folder DIR]

The signal, on the real Chinese panel: mean rank of low volatility (63 sessions), reversal (21) and
low turnover (21), neutral within industries; nothing is fitted. Its alphas are (a) linear, IC x
volatility x score (Grinold & Kahn 2000, ch. 11), with the IC of the past; (b) those of
quant.model2.calibration; (c) none. Universe, refits, optimizer and costs are the same.

The panel is cut after --end; what lies after 2015 is a hold-out, and a line says when it is read.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from quant.core import horizons
from quant.core.crosssection import percentiles
from quant.core.panel import sessions_of
from quant.core.types import Frame
from quant.evaluation import reliability, signal, summary
from quant.evaluation.inference import overlap_t
from quant.model2 import calibration
from quant.settings import Config
from quant.stages import backtest, load
from quant.stages.registry import Context, Inputs, plan
from quant.stages.runner import execute
from tests.shared import SHARED
from tests.test_config import composed

HORIZON, REFIT, PERIODS = 21, 63, 243
LOW = ("vol_63d", "ret_21d", "turnover_21d")
KEY = ["date", "symbol"]
HOLDOUT = "2015-12-31"


def tables(config: Config) -> dict[str, Frame]:
    """Everything up to the features, from the store where it lies there."""
    outcomes = execute(plan(load(), ["features", "model1"]), config, lambda outcome: None)
    return {t.name: o.result.read(t) for o in outcomes for t in o.stage.makes}


def composite(features: Frame, membership: Frame, sessions: np.ndarray) -> Frame:
    """Scores of every row: the less of each, the better; as `train.walk_forward` gives them."""
    rows = features[[*KEY, *LOW]].sort_values(KEY, ignore_index=True)
    session = np.searchsorted(sessions, rows["date"].to_numpy().astype("datetime64[D]"))
    ranks = [percentiles(-rows[name].to_numpy(np.float64), session) for name in LOW]
    score = np.nan_to_num(np.mean(ranks, axis=0), nan=0.5)
    own = rows[KEY].merge(membership[[*KEY, "industry_id"]], on=KEY, how="left")
    industry = pd.factorize(own["industry_id"])[0].astype(np.int64)
    score = calibration.neutral(score, calibration.groups(session, industry))
    made = rows[KEY].assign(score=score, uncertainty=0.0, fold=session // REFIT)
    return made[made["date"] >= made["date"].iloc[0]]


def linear(alpha: Frame, scores: Frame, labels: Frame, features: Frame) -> np.ndarray:
    """Grinold-Kahn on the rows of `alpha`: the mean IC known at the refit x volatility x score."""
    known = scores.merge(labels, on=KEY)
    daily = signal.ic(*(known[c].to_numpy() for c in ("date", "score", "raw")))
    daily["end"] = known.groupby("date")["end"].max().to_numpy()
    rows = alpha.merge(features[[*KEY, "vol_63d"]], on=KEY, how="left")
    day = rows["date"].to_numpy()
    refit = rows.groupby("fold")["date"].transform("min")
    past = {r: daily.loc[daily["end"] <= r, "ic"].mean() for r in refit.unique()}
    z = rows["score"] / rows.groupby(day)["score"].transform(lambda s: s.std(ddof=0))
    volatility = rows["vol_63d"] * np.sqrt(HORIZON)
    made = refit.map(past).to_numpy() * volatility.fillna(volatility.median()).to_numpy() * z
    return np.where(rows["alpha"].notna(), made, np.nan)


def book(config: Config, frames: dict[str, Frame], alpha: Frame) -> Frame:
    """The portfolio's NAV rows under these alphas."""
    given = frames | {"alpha": alpha}
    stage = backtest.STAGE
    inputs = Inputs({t.name: given[t.name].copy for t in stage.needs})
    with tempfile.TemporaryDirectory() as scratch:
        context = Context("cn", config.seed, Path(scratch), lambda label: lambda done, total: None)
        nav = stage.run(stage.settings(config), inputs, context)["nav"]
    return nav[nav["book"] == "portfolio"].sort_values("date")


def line(name: str, nav: Frame, alpha: Frame, labels: Frame) -> dict[str, str]:
    """One row of the table."""
    told = summary.book(nav, PERIODS)
    gross = summary.returns(nav, gross=True).mean() * PERIODS
    rows = alpha.merge(labels, on=KEY)
    rows = rows[rows["date"] >= nav["date"].iloc[0]]
    fit = reliability.slope(rows, HORIZON) if rows["alpha"].abs().max() > 0 else {}
    return {
        "alphas": name,
        "slope of what came": f"{fit['slope']:.2f} ± {fit['slope_se']:.2f}" if fit else "-",
        "return gross, %": f"{100 * gross:+.1f}",
        "net": f"{100 * told['ann_return']:+.1f}",
        "vol": f"{100 * told['ann_vol']:.1f}",
        "Sharpe net": f"{told['sharpe']:+.2f}",
        "turnover": f"{told['turnover_ann']:.1f}",
    }


def main() -> None:
    """One table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=SHARED / "data")
    parser.add_argument("--start", default="2014-01-02")
    parser.add_argument("--end", default=HOLDOUT)
    parser.add_argument("--folder", type=Path, help="kept, for what the stages store")
    options = parser.parse_args()
    if not options.root.exists():
        sys.exit(f"{options.root} is absent: this benchmark needs the real panels.")
    if options.end > HOLDOUT:
        print(f"the hold-out from {HOLDOUT} on is read")
    after = str((pd.Timestamp(options.end) + pd.Timedelta(days=1)).date())
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        config = composed(
            "region=cn", "sprint=s0", "data=files", f"data.root={options.root.resolve()}",
            f"paths.store={folder / 'store'}", f"paths.holdout={folder / 'holdout.jsonl'}",
            f"backtest.start={options.start}", f"evaluation.holdout.start={after}",
        )  # fmt: skip
        frames = tables(config)
    labels = horizons.at(frames["labels"], HORIZON)
    days = sessions_of(frames["sessions"])
    scores = composite(frames["features"], frames["membership"], days)
    spec = calibration.CalibrationSpec(horizon=HORIZON)
    made = calibration.calibrate(scores, labels, days, spec, frames["membership"])
    ours = made.alpha
    alphas = {
        "linear": ours.assign(alpha=linear(ours, scores, labels, frames["features"])),
        "calibrated": ours,
        "none": ours.assign(alpha=ours["alpha"] * 0.0),
    }
    rows = ours.merge(labels, on=KEY)
    rows = rows[rows["date"] >= options.start]
    parts = [rows[c].to_numpy() for c in ("date", "score", "raw")]
    rank = signal.ic(*parts)["rank_ic"].to_numpy()
    tenths = signal.quantile_returns(*parts, 10).iloc[:, 1:11].mean() * 1e4
    print(f"CN, {options.start} to {options.end}: rank IC {np.nanmean(rank):.3f} "
          f"(t {overlap_t(rank, HORIZON):.1f}); "
          f"residual return by decile, bp: {' '.join(f'{v:+.0f}' for v in tenths)}")  # fmt: skip
    table = [line(n, book(config, frames, a), a, labels) for n, a in alphas.items()]
    print(pd.DataFrame(table).to_string(index=False))


if __name__ == "__main__":
    main()
