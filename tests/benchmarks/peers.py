"""Our alphas beside published ones, on the same panel, label, refits, optimizer and costs.

Run: python -m tests.benchmarks.peers --region cn --start 2014-06-02 --end 2015-12-31
     [--holdout 2016-01-04 --read] [--folder DIR] [--only house momentum] [key=value ...]

Rivals: LightGBM with Qlib's published hyper-parameters on Qlib's Alpha158, 12-1 momentum, 5-day
reversal (conf/experiment/peer_*.yaml). Each is a run of its own through stage evaluate, in one
folder, so that what they share is computed once. Rank IC, its t (Newey-West over the overlap of
labels), ICIR and the decile spread are of the sessions and names that all of them scored.

The hold-out stays locked unless --read is given; reading it is written into the folder's ledger.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from quant.config_paths import PROJECT
from quant.core.seeds import generator
from quant.evaluation import compare, signal, summary
from quant.evaluation.inference import overlap_t
from tests.shared import SHARED

RIVALS = {
    "house": "default",
    "alpha158": "peer_alpha158",
    "momentum": "peer_momentum",
    "reversal": "peer_reversal",
}
HORIZON, DECILES = 21, 10
KEY = ["date", "symbol"]


def run(folder: Path, name: str, options: argparse.Namespace) -> dict[str, pd.DataFrame]:
    """Tables of one contender's run."""
    words = [
        f"region={options.region}", "data=files", f"data.root={options.root}", "sprint=s0",
        "stage=evaluate",
        f"experiment={RIVALS[name]}", f"backtest.start={options.start}",
        f"backtest.end={options.end}", "tracking=none", *options.settings,
    ]  # fmt: skip
    if options.holdout:
        look = str(options.read).lower()
        words.append(f"evaluation.holdout.start={options.holdout}")
        words += [f"evaluation.holdout.{key}={look}" for key in ("read", "refit")]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-m", "quant.main", *words], cwd=folder, env=environment, check=False
    )
    if done.returncode:
        sys.exit(f"{name}: the run failed; see above.")
    home = folder / "data"
    table = {
        "alpha": home / "model2" / options.region / "alpha.parquet",
        "labels": home / "features" / options.region / "labels.parquet",
        "nav": home / "backtest" / options.region / "nav.parquet",
        "metrics": home / "evaluate" / options.region / "metrics.parquet",
        "cpcv": home / "model2" / options.region / "cpcv.parquet",
        "folds": home / "model2" / options.region / "folds.parquet",
    }
    kept = folder / "peers" / name
    kept.mkdir(parents=True, exist_ok=True)
    for what, path in table.items():
        shutil.copyfile(path, kept / f"{what}.parquet")
    return read(kept)


def read(kept: Path) -> dict[str, pd.DataFrame]:
    """Tables that a contender's run left."""
    return {path.stem: pd.read_parquet(path) for path in sorted(kept.glob("*.parquet"))}


def scored(made: dict[str, dict[str, pd.DataFrame]], options: argparse.Namespace) -> pd.DataFrame:
    """Rows that every contender scored, with the residual return that followed."""
    labels = next(iter(made.values()))["labels"]
    rows = labels.loc[labels["horizon"] == HORIZON, [*KEY, "raw"]]
    for name, tables in made.items():
        rows = rows.merge(tables["alpha"][[*KEY, "score"]].rename(columns={"score": name}), on=KEY)
    day = pd.to_datetime(rows["date"])
    inside = (day >= options.start) & (day <= options.end)
    return rows[inside].sort_values(KEY, ignore_index=True)


def line(name: str, rows: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> dict[str, object]:
    """One row of the table."""
    parts = (rows["date"].to_numpy(), rows[name].to_numpy(), rows["raw"].to_numpy())
    daily = signal.ic(*parts)
    rank = signal.icir(daily["rank_ic"].to_numpy())
    spread = signal.quantile_returns(*parts, DECILES)["spread"].mean() * 1e4
    of = tables["metrics"].set_index(["book", "metric"])["value"]
    return {
        "": name,
        "rank IC": f"{rank['mean']:+.4f}",
        "t": f"{overlap_t(daily['rank_ic'].to_numpy(), HORIZON):.1f}",
        "ICIR": f"{rank['icir']:.2f}",
        "decile spread, bp": f"{spread:+.0f}",
        "Sharpe gross": f"{of['portfolio', 'sharpe_gross']:.2f}",
        "net": f"{of['portfolio', 'sharpe']:.2f}",
        "return, %": f"{100 * of['portfolio', 'ann_return']:+.1f}",
        "active, pp": f"{100 * of['portfolio', 'active_return']:+.1f}",
        "95 %": f"{100 * of['portfolio', 'active_return_lo']:+.1f} to "
        f"{100 * of['portfolio', 'active_return_hi']:+.1f}",
        "vol, %": f"{100 * of['portfolio', 'ann_vol']:.1f}",
        "turnover": f"{of['portfolio', 'turnover_ann']:.1f}",
        "costs, bp": f"{of['portfolio', 'cost_bp_ann']:.0f}",
        "slope": f"{of['alpha', 'slope']:.2f} ± {of['alpha', 'slope_se']:.2f}"
        if ("alpha", "slope") in of.index
        else "-",
    }


def against(made: dict[str, dict[str, pd.DataFrame]], rows: pd.DataFrame, periods: int) -> None:
    """Print ours less each rival: rank IC with its t, Sharpe with its interval."""
    ours = made["house"]["nav"]
    mine = summary.returns(ours[ours["book"] == "portfolio"].sort_values("date"))
    raw, day = rows["raw"].to_numpy(), rows["date"].to_numpy()
    own = signal.ic(day, rows["house"].to_numpy(), raw)["rank_ic"].to_numpy()
    for name, tables in made.items():
        if name == "house":
            continue
        other = signal.ic(day, rows[name].to_numpy(), raw)["rank_ic"].to_numpy()
        gap = own - other
        nav = tables["nav"]
        theirs = nav[nav["book"] == "portfolio"].sort_values("date")
        cash = theirs["rf"].to_numpy(np.float64)[1:]
        rng = generator(42, "peers", name)
        told = compare.sharpe_difference(
            mine - cash, summary.returns(theirs) - cash, periods, HORIZON, 2000, rng
        )
        print(
            f"house less {name}: rank IC {np.nanmean(gap):+.4f} (t {overlap_t(gap, HORIZON):.1f}); "
            f"Sharpe "
            f"{told.difference:+.2f}, 95 % {told.low:+.2f} to {told.high:+.2f}, {told.verdict}"
        )


def looks(folder: Path) -> str:
    """How often the hold-out was read, by the folder's ledger."""
    ledger = folder / "mlruns" / "holdout.jsonl"
    rows = [json.loads(x) for x in ledger.read_text().splitlines()] if ledger.exists() else []
    return f"hold-out: read {sum(row['kind'] == 'read' for row in rows)} times in this folder"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--region", choices=("us", "cn"), required=True)
    parser.add_argument("--root", type=Path, default=SHARED / "data")
    parser.add_argument("--start", required=True)
    parser.add_argument("--end", required=True)
    parser.add_argument("--holdout", help="first session of the hold-out")
    parser.add_argument("--read", action="store_true", help="read it")
    parser.add_argument("--folder", type=Path, help="kept, for what the runs store")
    parser.add_argument("--only", nargs="+", choices=sorted(RIVALS), default=list(RIVALS))
    parser.add_argument(
        "--reuse", nargs="+", choices=sorted(RIVALS), default=[], help="as they lie in the folder"
    )
    parser.add_argument("settings", nargs="*", help="further settings of every run, key=value")
    options = parser.parse_args()
    options.root = options.root.resolve()
    if not options.root.exists():
        sys.exit(f"{options.root} is absent: this benchmark needs the real panels.")
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        made = {
            name: read(folder / "peers" / name)
            if name in options.reuse
            else run(folder, name, options)
            for name in options.only
        }
        rows = scored(made, options)
        days = rows["date"].nunique()
        print(f"{options.region}, {options.start} to {options.end}: {days} sessions with labels, "
              f"{len(rows)} rows that all scored")  # fmt: skip
        table = pd.DataFrame([line(name, rows, tables) for name, tables in made.items()])
        print(table.to_string(index=False))
        if "house" in made:
            print("house is made of", sorted(made["house"]["folds"]["model"].unique()))
            against(made, rows, {"us": 252, "cn": 243}[options.region])
        print(looks(folder))


if __name__ == "__main__":
    main()
