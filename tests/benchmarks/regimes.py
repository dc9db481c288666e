"""Do the regimes mean anything? Known history, known truth, and whether the book obeyed.

Run: python -m tests.benchmarks.regimes history --region cn [--folder DIR]
     python -m tests.benchmarks.regimes truth [--markets 4]
     python -m tests.benchmarks.regimes obeyed --region cn --folder DIR --cap 0.15

history : stage model1 on the real panels from 2005; how well the probability of crisis tells the
          months that everybody remembers from the others, which no model was told
truth   : simulated markets whose regimes are known: detection, delay and false alarms beside a
          naive rule (21-session volatility against its own trailing year)
obeyed  : every decision of a finished run in DIR against its states, and ten random dates
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from quant.config_paths import PROJECT
from quant.core.seeds import generator
from quant.data.providers.sim import Sim
from quant.settings import Config, Model1, Universe
from quant.stages import model1, universe
from tests import regimes
from tests.pipeline import Frames, ingested, through
from tests.shared import SHARED

KNOWN = {
    "cn": (("2015-06-01", "2015-09-30"), ("2016-01-01", "2016-01-31")),
    "us": (("2008-09-01", "2008-12-31"), ("2011-08-01", "2011-08-31")),
}
SPAN = (date(2006, 1, 3), date(2014, 12, 31))


def tables(folder: Path, region: str, *names: str) -> Frames:
    """Published tables of a run in `folder`, dates as timestamps."""
    made = {}
    for name in names:
        (path,) = (folder / "data").glob(f"*/{region}/{name}.parquet")
        frame = pd.read_parquet(path)
        made[name] = frame.assign(date=frame["date"].astype("datetime64[ns]"))
    return made


def staged(folder: Path, region: str) -> None:
    """Run stage model1 on the real panels, and say how long it took."""
    if list((folder / "data").glob(f"*/{region}/states.parquet")):
        return
    words = [f"region={region}", "data=files", f"data.root={(SHARED / 'data').resolve()}",
             "data.start=2005-01-04", "stage=model1", "tracking=none"]  # fmt: skip
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "quant.main", *words], cwd=folder, check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    if done.returncode:
        sys.exit("the run failed; see above.")
    print(f"ingest to model1: {time.perf_counter() - begun:.0f} s")


def history(folder: Path, region: str) -> None:
    """AUC of known months against all others, by what is asked."""
    staged(folder, region)
    f = tables(folder, region, "states", "parent_states", "regime", "hmm_fits")
    market = f["parent_states"].query("node_id == 'market'").set_index("date")["p_vol_crisis"]
    first = f["hmm_fits"].query("node_id == 'market'")["date"].min()
    scores = {
        "market's p_crisis": market,
        "mean of the industries": f["regime"].set_index("date")["p_crisis"],
        "p_systemic": f["regime"].set_index("date")["p_systemic"],
    }
    spans = [tuple(map(pd.Timestamp, span)) for span in KNOWN[region]]
    rows = []
    for name, score in scores.items():
        own = score[(score.index >= first) & score.index.isin(market.index)]
        inside = np.logical_or.reduce([(own.index >= a) & (own.index <= b) for a, b in spans])
        for label, one in (("all", inside), *((f"{a:%Y-%m} to {b:%Y-%m}",
                           (own.index >= a) & (own.index <= b)) for a, b in spans)):  # fmt: skip
            if one.any():
                rest = one | ~inside
                rows.append({
                    "score": name, "months": label, "sessions": int(one.sum()),
                    "AUC": roc_auc_score(one[rest], own[rest]),
                    "mean inside": own[one].mean(), "mean outside": own[~inside].mean(),
                })  # fmt: skip
    print(pd.DataFrame(rows).round(3).to_string(index=False))
    months = market.groupby([market.index.year, market.index.month]).mean().unstack()
    print("\nmarket's p_crisis by month, percent")
    print((100 * months).round(0).astype("Int64").to_string())


def naive(returns: pd.Series) -> pd.Series:
    """21-session volatility over the median of its trailing year: what anybody would draw."""
    vol = returns.rolling(21).std()
    return vol / vol.rolling(252, min_periods=63).median()


def told(truth: pd.Series, score: pd.Series, at: float) -> dict[str, float]:
    """Detection of spells of `truth` by score >= at."""
    both = pd.concat([truth.rename("truth"), score.rename("score")], axis=1).dropna()
    real, said = both["truth"].to_numpy(bool), (both["score"] >= at).to_numpy()
    starts = np.flatnonzero(real & ~np.append(False, real[:-1]))
    delays = []
    for start in starts:
        end = start + int(np.argmax(np.append(~real[start:], True)))
        hit = np.flatnonzero(said[start:end])
        delays.append(hit[0] if hit.size else np.nan)
    return {
        "spells": starts.size, "found": float(np.isfinite(delays).mean()),
        "delay": float(np.nanmedian(delays)), "hit": float(said[real].mean()),
        "false": float(said[~real].mean()), "AUC": float(roc_auc_score(real, both["score"])),
    }  # fmt: skip


def level(truth: pd.Series, score: pd.Series, rate: float) -> float:
    """The threshold at which the rule cries as often without cause as the other does."""
    both = pd.concat([truth.rename("t"), score.rename("s")], axis=1).dropna()
    return float(both.loc[~both["t"].astype(bool), "s"].quantile(1 - rate))


def truth(markets: int) -> None:
    """Detection in simulated markets, pooled, and the confusion of states."""
    rows, crossed = [], {"market volatility": [], "market trend": []}
    for seed in range(markets):
        made, real = simulated(100 + seed)
        parents = made["parent_states"].query("node_id == 'market'").set_index("date")
        # nine years, of which the first two are warm-up
        parents = parents[parents.index >= parents.index[0] + pd.Timedelta(days=365)]
        regime = real["market"].set_index("date")["regime"]
        ret = made["indices"].query("node_id == 'market'").set_index("date")["ret"]
        crisis = (regime == "crisis").reindex(parents.index)
        rows += pair("market: crisis", crisis, parents["p_vol_crisis"], naive(ret), 0.3)
        joint = made["regime"].set_index("date")["p_systemic"].reindex(parents.index)
        rows += pair("market: crisis, by p_systemic", crisis, joint, naive(ret), 0.5)
        rows += industries(made, real, parents.index[0])
        states = parents.drop(columns=["level", "node_id"])
        for name, kind, wanted in (
            ("market volatility", "p_vol_",
             {"bull": "calm", "sideways": "calm", "bear": "turbulent", "crisis": "crisis"}),
            ("market trend", "p_trend_",
             {"bull": "bull", "sideways": "sideways", "bear": "bear", "crisis": "bear"}),
        ):  # fmt: skip
            said = states.filter(like=kind).idxmax(axis=1).str.removeprefix(kind)
            is_true = regime.reindex(said.index).map(wanted)
            crossed[name].append(pd.DataFrame({"truth": is_true, "said": said}))
    table = pd.DataFrame(rows).groupby(["what", "rule"], sort=False)
    print(table.mean(numeric_only=True).assign(spells=table["spells"].sum()).round(2).to_string())
    for name, parts in crossed.items():
        both = pd.concat(parts)
        print(f"\n{name}: share of the sessions of a true state (rows) that are called so")
        print(pd.crosstab(both["truth"], both["said"], normalize="index").round(2).to_string())


def pair(what: str, real: pd.Series, ours: pd.Series, rule: pd.Series, at: float) -> list[dict]:
    """Ours at its threshold, and the naive rule where it has as many false alarms.

    Nothing where the truth is one and the same all along.
    """
    if real.nunique() < 2:
        return []
    rule = rule.reindex(ours.index)
    one = told(real, ours, at)
    other = told(real, rule, level(real, rule, one["false"]))
    return [{"what": what, "rule": "ours", **one}, {"what": what, "rule": "naive", **other}]


def industries(made: Frames, real: Frames, start: pd.Timestamp) -> list[dict]:
    """Turbulence and trend of single industries, averaged over them."""
    rows = []
    states = made["states"][made["states"]["date"] >= start]
    truths = dict(list(real["industry"].groupby("industry_id")))
    returns = dict(list(made["indices"].groupby("node_id")))
    for name, own in states.groupby("industry_id"):
        known, own = truths[name].set_index("date"), own.set_index("date")
        ret = returns[name].set_index("date")["ret"]
        rough = known["turbulent"].reindex(own.index)
        ours = own["p_vol_turbulent"] + own["p_vol_crisis"]
        if len(own) > 500 and rough.nunique() == 2:
            rows += pair("industry: turbulent", rough, ours, naive(ret), 0.5)
        up = (known["trend"] == "up").reindex(own.index)
        gap = own["p_trend_bull"] - own["p_trend_bear"]
        if len(own) > 500 and up.nunique() == 2:
            past = ret.rolling(63).mean()
            rows += pair("industry: trend up (naive: 63-session return)", up, gap, past, 0.0)
    return rows


def simulated(seed: int) -> tuple[Frames, Frames]:
    """States of a simulated market of the US, and its truth."""
    config = Config(universe=Universe(size=300), model1=Model1(enabled=True))
    config.region.name = "us"
    given = ingested("us", 300, 0.0, seed, SPAN)
    with tempfile.TemporaryDirectory() as folder:
        made = through(config, given, Path(folder), (universe.STAGE, model1.STAGE))
    return made, Sim("us", seed, 300, 0.0).simulate(*SPAN).truth


def obeyed(folder: Path, region: str, cap: float) -> None:
    """Violations over all decisions, and ten random dates one by one."""
    names = ("membership", "states", "parent_states", "regime", "decisions", "solves", "bindings")
    found = regimes.obeyed(tables(folder, region, *names), cap)
    bad = (found["cap_excess"] > regimes.TOLERANCE) | (found["vol_excess"] > regimes.TOLERANCE)
    print(f"{len(found)} decisions from {found['date'].min():%Y-%m-%d} to "
          f"{found['date'].max():%Y-%m-%d}: {int(bad.sum())} violations; caps tightened on "
          f"{(found['tightened'] > 0).mean():.0%} of the days, a cap or the target out of reach "
          f"within the day on {found['relaxed'].mean():.1%}")  # fmt: skip
    drawn = generator(42, "regimes", "dates").choice(len(found), min(10, len(found)), replace=False)
    print(found.iloc[np.sort(drawn)].to_string(index=False))


def main() -> None:
    """One of the three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("history", "truth", "obeyed"))
    parser.add_argument("--region", default="cn", choices=("cn", "us"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--markets", type=int, default=4)
    parser.add_argument("--cap", type=float, default=0.15)
    options = parser.parse_args()
    if options.what == "truth":
        return truth(options.markets)
    if options.what == "obeyed":
        if options.folder is None:
            sys.exit("--folder is that of a finished run: the one its command was typed in.")
        return obeyed(options.folder, options.region, options.cap)
    if not SHARED.exists():
        sys.exit(f"{SHARED} is absent: this benchmark needs the real panels.")
    with tempfile.TemporaryDirectory() as place:
        history(options.folder or Path(place), options.region)
    return None


if __name__ == "__main__":
    main()
