"""Synthetic inputs of every shape that a report can meet."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
from scipy.special import ndtr

from quant.core.seeds import generator
from quant.optimizer.knobs import HIGH, LOW
from quant.optimizer.knobs import NAMES as KNOBS
from quant.reporting.audit import AuditInputs
from quant.reporting.holdout import Holdout
from quant.reporting.inputs import ReportInputs, ReportMeta
from quant.reporting.jobs import ComparisonInputs
from quant.reporting.sections import execution

GROUPS = ("Energy", "Financials", "Health Care", "Industrials", "Technology", "Utilities")


def meta(**changes) -> ReportMeta:
    base = ReportMeta(
        title="Sprint 0 baseline, US",
        region="us",
        currency="USD",
        sprint="s0",
        git_sha="a19de4d",
        config_hash="5e0c1a7b9f24",
        run_id="20260102T030405Z-1",
        seed=42,
        provider="sim",
        simulated=True,
        start=date(2012, 1, 3),
        end=date(2019, 12, 31),
        periods_per_year=252,
        started="2026-01-02T03:04:05Z",
        conventions=("Sharpe: excess of cash, ddof 1, annualised with 252.",),
        config_yaml="region: us\nseed: 42\n",
        command="uv run --locked python -m quant.main region=us stage=e2e",
        model_seeds={"ridge": 7, "lightgbm": 1234567},
        versions={"python": "3.11.9", "numpy": "2.3.1"},
        lambda1=5e-4,
        group_cap=0.25,
    )
    return replace(base, **changes)


def empty() -> ReportInputs:
    return ReportInputs(meta=meta())


def full(names: int = 40, years: int = 8, **changes) -> ReportInputs:
    """Every frame filled, from one seeded stream."""
    rng = generator(42, "report sample")
    dates = pd.bdate_range("2012-01-03", periods=int(years * 252))
    symbols = np.array([f"N{i:03d}" for i in range(names)], dtype=object)
    base = meta(end=dates[-1].date(), start=dates[0].date())
    market = rng.standard_t(4, dates.size) * 0.007 + 0.0004
    daily = {
        "portfolio": 0.65 * market + rng.normal(0.00012, 0.002, dates.size),
        "benchmark": market + rng.normal(0, 0.0005, dates.size),
    }
    nav = pd.concat([_nav(b, dates, r, rng) for b, r in daily.items()])
    inputs = ReportInputs(
        meta=base,
        nav=nav.reset_index(drop=True),
        metrics=metrics(),
        fills=_fills(dates, symbols, rng),
        benchmark=pd.DataFrame(
            {
                "date": dates,
                "name": "SPY",
                "close": 130 * np.cumprod(1 + market * 0.9),
                "total_return": True,
            }
        ),
        **_held(dates, symbols, rng),
        **_signal(dates, rng),
        **_universe(dates, symbols, rng),
        **trusted(dates.size - 1),
        **risked(dates, rng),
        **leaned_on(dates, symbols),
        **sliced(),
        **regimes(dates),
        **traded(),
        **steered(dates),
    )
    return replace(inputs, **changes)


def steered(dates) -> dict[str, pd.DataFrame]:
    """What the section on the controller is drawn from: two seeds, two periods, seven books."""
    rng = generator(5, "report controller")
    test = dates[-min(300, dates.size // 2) :]
    half = test[test.size // 2]
    books, turned = [], []
    for book, seed in (
        ("rl", 0), ("rl", 1), ("fixed", 0), ("start", 0), ("no_rl", 0), ("rule", 0), ("random", 0),
        ("no_tilt", 0),
    ):  # fmt: skip
        books.append(
            pd.DataFrame(
                {"book": book, "seed": seed, "date": test, "ret": rng.normal(4e-4, 6e-3, test.size),
                 "rf": 1e-5, "cost": 2e-5, "turnover": rng.uniform(0, 0.2, test.size)}
            )
        )  # fmt: skip
        knobs = rng.uniform(LOW, HIGH, (test.size, 6))
        rows = pd.DataFrame(knobs, columns=KNOBS).assign(book=book, seed=seed, date=test)
        parts = {"gain": 3.0, "cost": 0.5, "drawdown": 0.1, "volatility": 0.0}
        turned.append(rows.assign(**parts, relaxed=rng.choice(["", "turnover"], test.size)))
    gate = pd.DataFrame(
        [
            {
                "book": "rl", "seed": seed, "period": period, "start": start, "end": end,
                "sharpe": 0.9, "fixed_sharpe": 0.5, "difference": 0.4, "low": low, "high": 0.9,
                "detectable": 0.6, "dsr": 0.8, "fixed_dsr": 0.5, "n_obs": 150, "passes": True,
                "verdict": verdict,
            }
            for period, start, end, low, verdict in (
                ("2018-01-01/2018-12-31", test[0], half, -0.1, "INCONCLUSIVE"),
                ("2019-01-01/2019-12-31", half, test[-1], 0.1, "PASS"),
            )
            for seed in (-1, 0, 1)
        ]
    )  # fmt: skip
    steps = np.tile(np.arange(1, 9) * 4096, 2)
    runs = pd.DataFrame({"seed": np.repeat([0, 1], 8), "step": steps})
    info = pd.DataFrame(
        {"seed": [0, 1], "step": [8192, 16384], "steps": 32768, "region": "us", "observations": "",
         "ended": ["steps", "no more improvement"], "sharpe": [0.8, 0.7], "dsr": [0.7, 0.6],
         "steers": [True, False]}
    )  # fmt: skip
    return {
        "policy_info": info,
        "rl_curve": runs.assign(better=rng.normal(0.2, 0.1, 16)),
        "rl_looks": runs.assign(dsr=rng.uniform(0.4, 0.7, 16)),
        "rl_search": pd.DataFrame({"use": ["search"] * 30 + ["spread"] * 16}),
        "rl_books": pd.concat(books, ignore_index=True),
        "rl_knobs": pd.concat(turned, ignore_index=True),
        "rl_gate": gate,
        "rl_safety": pd.DataFrame(
            {"knob": KNOBS, "decisions": 600, "outside": 0.0, "hit_low": 0.01, "hit_high": 0.02}
        ),
    }  # fmt: skip


def traded(n: int = 600) -> dict[str, pd.DataFrame]:
    """What the section on execution is drawn from: orders, fits, styles, capacity."""
    rng = generator(3, "report orders")
    days = pd.bdate_range("2016-01-04", periods=n // 4)
    orders = pd.DataFrame(
        {
            "date": np.repeat(days, 4), "symbol": np.tile(["A", "B", "C", "D"], n // 4),
            "side": rng.choice(["buy", "sell"], n), "bucket": rng.integers(0, 6, n),
            "size": rng.lognormal(-7, 1, n), "ordered": rng.lognormal(10, 1, n), "reason": "",
        }
    )  # fmt: skip
    orders["filled"] = orders["ordered"] * rng.choice([0.0, 0.5, 1.0], n)
    for name in execution.PARTS:
        orders[name] = rng.normal(2, 10, n)
    asof = [pd.Timestamp("2015-12-31"), days[60], days[120]]
    buckets = [(a, b) for a in asof for b in range(6)]
    params = pd.DataFrame(buckets, columns=["asof_date", "bucket_id"])
    params["lambda1_bp"], params["lambda2"] = 12.0 - params["bucket_id"], 0.1
    params["adv_edge_low"] = np.tile([0, 5, 10, 25, 50, 75.0], 3)
    params["adv_edge_high"] = np.tile([5, 10, 25, 50, 75, 100.0], 3)
    fits = params[params["asof_date"] > asof[0]][["asof_date", "bucket_id"]].copy()
    fits["style"], fits["orders"], fits["pool"] = "POV", 1234, 0
    for name, value in {
        "raw1_bp": 9.5, "raw2": 0.2, "se1_bp": 1.5, "se2": 0.05, "low1_bp": 6.5, "high1_bp": 12.5,
        "low2": 0.1, "high2": 0.3, "size_low": 1e-4, "size_high": 2e-3,
    }.items():  # fmt: skip
        fits[name] = value
    styles = pd.DataFrame(
        [(d, s, c, rng.normal(5, 10), 0.9) for d in days for s in ("MOO", "POV", "VWAP")
         for c in ("base", "square root")],
        columns=["date", "style", "scenario", "shortfall_bp", "filled"],
    )  # fmt: skip
    gate = pd.DataFrame(
        {
            "scenario": ["square root", "base"], "median_pov": 12.0, "median_moo": 2.0,
            "difference": [9.0, 10.0], "low": 8.0, "high": 11.0, "iqr_pov": 6.0, "iqr_moo": 2.0,
            "iqr_ratio": 3.0, "ratio_low": 2.5, "ratio_high": 3.5, "verdict": "FAIL", "days": 150,
        }
    )  # fmt: skip
    numbers = {"ann_vol": 0.1, "sharpe": 0.5, "turnover": 4.0, "filled": 0.9, "cash": 0.1}
    capacity = pd.DataFrame(
        {"nav": [1e6, 1e7, 1e8], "ann_return": [0.10, 0.08, 0.03], "cost_bp": [50, 80, 300.0]}
    ).assign(**numbers)
    pace = pd.DataFrame({"every": [1, 5], "ann_return": [0.1, 0.08], "cost_bp": [50.0, 20.0]})
    return {
        "tca_orders": orders, "lambda_params": params, "cost_fits": fits, "exec_styles": styles,
        "exec_gate": gate, "capacity": capacity, "pace": pace.assign(**numbers),
        "tca_hours": pd.DataFrame(
            {"hour": [0, 1], "value": [3e6, 1e6], "timing": 1.0, "spread": 2.0, "impact": 3.0,
             "fee": 0.5}
        ),
    }  # fmt: skip


def trusted(sessions: int) -> dict:
    """What the section on trust is drawn from: three ideas tried, an open hold-out."""
    hashes = ["5e0c1a7b9f24", *(f"{k:012x}" for k in range(6))]
    trials = pd.DataFrame(
        {
            "config_hash": hashes,
            "name": [f"s0-us-sim-{h}" for h in hashes],
            "sharpe_period": [0.047, 0.046, 0.041, 0.012, 0.01, -0.02, np.nan],
            "n_obs": sessions,
            "cluster": [1, 1, 1, 2, 2, 3, 3],
            "own": [True] + [False] * 6,
        }
    )
    comparisons = pd.DataFrame(
        [
            ("portfolio", "SPY", 0.13, 0.33, -0.53, 0.79, 0.71, 0.94, sessions, "INCONCLUSIVE"),
            ("portfolio", "benchmark", 0.16, 0.2, -0.23, 0.55, 0.42, 0.56, sessions,
             "INCONCLUSIVE"),
        ],
        columns=["book", "other", "difference", "se", "low", "high", "p_value", "detectable",
                 "n_obs", "verdict"],
    )  # fmt: skip
    rows = []
    for hazard, times in (("uniform", 0.7), ("losers", 1.4)):
        for rate in (0.005, 0.01, 0.02, 0.04):
            for loss in (-0.3, -0.55):
                cost = rate * loss * times
                value = [0.0915 + cost, -0.0081 + cost / 4, 0.74 + 8 * cost]
                band = [(v, v + 2 * cost / 3, v - 2 * cost / 3) for v in value]
                rows.append((hazard, rate, loss, *(v for three in band for v in three), np.nan))
    names = ("ann_return", "active", "sharpe")
    return {
        "trials": trials,
        "comparisons": comparisons,
        "survivorship": pd.DataFrame(
            rows,
            columns=["hazard", "rate", "loss",
                     *(f"{n}{end}" for n in names for end in ("", "_low", "_high")),
                     "break_even"],
        ),
        "holdout": holdout(),
    }  # fmt: skip


def risked(dates, rng) -> dict:
    """Forecasts of risk by two models, of which the second takes its own choice for riskless."""
    days, models = dates[:-21:21], ("ledoit_wolf", "sample")
    came = 2e-3 * rng.lognormal(0.0, 0.4, days.size)
    forecasts = pd.DataFrame(
        {
            "date": np.tile(days, 2), "kind": "equal", "portfolio": "equal",
            "model": np.repeat(models, days.size), "predicted": 2e-3,
        }
    )  # fmt: skip
    outcomes = pd.DataFrame({"date": days, "portfolio": "equal", "realised": came, "gain": 0.01})
    blank = {"portfolios": 1, "windows": days.size, "bias_low": 0.86, "bias_high": 1.14}
    rows = [
        {"kind": kind, "model": model, **blank, "predicted": 0.15 + 0.01 * i, "realised": 0.16,
         "qlike": 0.2, "bias": 1.07, "inside": 0.9, "dm_t": (np.nan, 1.2)[i],
         "p_value": (np.nan, 0.23)[i], "verdict": ("", "INCONCLUSIVE")[i]}
        for kind in ("all", "book", "equal", "least_variance_ledoit_wolf", "least_variance_sample")
        for i, model in enumerate(models)
    ]  # fmt: skip
    scores = pd.DataFrame(rows)
    riskless = scores.index[-1]
    scores.loc[riskless, ["predicted", "qlike", "bias"]] = [0.0, np.inf, np.inf]
    scores.loc[riskless, "verdict"] = "BETTER"
    return {"risk_forecasts": forecasts, "risk_outcomes": outcomes, "risk_scores": scores}


def leaned_on(dates, symbols, refits: int = 6) -> dict:
    """Shapley values of 24 features in 4 families at some refits, and the families left out."""
    rng = generator(42, "report sample", "importance")
    names, starts = [f"feature_{k:02d}" for k in range(24)], dates[:: dates.size // refits][:refits]
    weight = np.sort(rng.lognormal(0, 1, 24))[::-1]
    wide, single = [], []
    for fold, day in enumerate(starts):
        mean = weight * rng.lognormal(0, 0.2, 24) / 50
        wide.append(pd.DataFrame({
            "date": day, "fold": fold, "feature": names,
            "family": [("momentum", "value", "volume", "risk")[k % 4] for k in range(24)],
            "mean_abs_shap": mean, "share": mean / mean.sum(),
        }))  # fmt: skip
        for k, name in enumerate(names[:20]):
            rank = rng.uniform(-0.5, 0.5, symbols.size)
            single.append(pd.DataFrame({
                "date": day, "fold": fold, "session": day, "symbol": symbols, "feature": name,
                "rank": rank, "shap": weight[k] * (rank + rng.normal(0, 0.1, rank.size)) / 20,
            }))  # fmt: skip
    looks = pd.DataFrame([
        {"date": day, "rank": rank, "feature": name, "distance": 0.1 + 0.02 * rank,
         "literal": 1e-4 * rank, "p": 0.004 if rank == 3 else 0.3, "psi": 0.08 * rank,
         "holm": 0.02 if rank == 3 else 1.0, "severity": "moderate" if rank == 3 else "none",
         "review": True}
        for day in starts for rank, name in enumerate(["score", *names[:4]])
    ])  # fmt: skip
    rows = [(family, statistic, 6, 0.05, 0.05 - change, change, abs(change) / 3 + 0.001, 6)
            for family, change in (("momentum", 0.02), ("risk", -0.003), ("value", 0.0),
                                   ("volume", 0.004))
            for statistic in ("rank_ic", "icir", "spread_bp")]  # fmt: skip
    columns = ["family", "statistic", "n_features", "whole", "without", "difference", "se",
               "blocks"]  # fmt: skip
    return {
        "importance": pd.concat(wide, ignore_index=True),
        "shap": pd.concat(single, ignore_index=True),
        "drift": looks,
        "ablation": pd.DataFrame(rows, columns=columns),
    }


def waves(dates, names, kind: str, pull: tuple[float, ...]) -> np.ndarray:
    """Probabilities of three states that come and go, (n_days, n_names, 3), in float32."""
    t = np.arange(dates.size)[:, None, None]
    phase = generator(42, "report sample", kind).uniform(0, 6, (1, len(names), 3))
    odds = np.exp(3 * np.sin(t / np.array([37.0, 61.0, 101.0]) + phase) + np.array(pull))
    return (odds / odds.sum(axis=2, keepdims=True)).astype(np.float32)


def nodes(dates, names, **columns) -> pd.DataFrame:
    """The probabilities of every name on every date, in long form."""
    frame = pd.DataFrame({"date": np.repeat(dates, len(names)), "node_id": names * dates.size})
    for kind, states, pull in (
        ("trend", ("bull", "sideways", "bear"), (0.5, 0.0, 0.0)),
        ("vol", ("calm", "turbulent", "crisis"), (1.0, 0.0, -2.5)),
    ):
        made = waves(dates, names, kind + names[0], pull).reshape(-1, 3)
        frame = frame.assign(**{f"p_{kind}_{s}": made[:, i] for i, s in enumerate(states)})
    return frame.assign(**columns)


def regimes(dates) -> dict:
    """Model 1 of a market with sectors, each of two industries; caps 25 %, halved where tight."""
    level = ["market", *["sector"] * len(GROUPS)]
    parents = nodes(dates, ["market", *GROUPS]).assign(level=level * dates.size)
    names = [f"{g}.{k}" for g in GROUPS for k in (0, 1)]
    states = nodes(dates, names).rename(columns={"node_id": "industry_id"})
    rank = 0.5 + 0.49 * np.sin(np.arange(dates.size) / 200)
    p_systemic = 1 / (1 + np.exp(-20 * (rank - 0.8)))
    crisis = states.groupby("date")["p_vol_crisis"].mean().to_numpy(float)
    above = parents.set_index(["date", "node_id"])["p_vol_crisis"]
    sector = states["industry_id"].str.split(".").str[0]
    p_sector = above.loc[list(zip(states["date"], sector, strict=True))].to_numpy()
    systemic = np.repeat(p_systemic, len(names)).astype(np.float32)
    tight = (systemic >= 0.5) | (p_sector >= 0.3)
    states = states.assign(
        p_sys_diversifying=1 - systemic, p_sys_systemic=systemic,
        p_flip_10d=np.float32(0.2), cap_short=np.float32(0),
        tilt_bp=10 * (states["p_trend_bull"] - states["p_trend_bear"]),
        cap_long=np.where(tight, 0.125, 0.25).astype(np.float32),
    )  # fmt: skip
    regime = pd.DataFrame({
        "date": dates, "mean_corr": 0.3 + 0.2 * rank, "eig1": 0.4 + 0.2 * rank, "rank_corr": rank,
        "rank_eig1": 0.9 * rank, "p_systemic": p_systemic, "p_crisis": crisis,
        "vol_target": 0.12 - 0.04 * crisis,
    })  # fmt: skip
    return {
        "states": states, "regime": regime, "parent_states": parents, "attribution": flags(),
        **watched(dates, ["market", *GROUPS, *names]),
    }  # fmt: skip


def watched(dates, names) -> dict:
    """Indices of every node, changes flagged on them for three sessions each, and the refits."""
    rng = generator(42, "report sample", "regimes")
    indices = pd.DataFrame({
        "date": np.repeat(dates, len(names)), "node_id": names * dates.size,
        "level": (["market"] + ["sector"] * len(GROUPS) + ["industry"] * 2 * len(GROUPS))
        * dates.size,
        "ret": rng.normal(4e-4, 0.01, dates.size * len(names)), "members": 20,
    })  # fmt: skip
    starts = np.arange(20, dates.size - 3, 90)
    at = (starts[:, None] + np.arange(3)).ravel()
    breaks = pd.concat([
        pd.DataFrame({"date": dates[(at + 7 * i) % dates.size], "node_id": name, "stream": stream,
                      "p_short": 0.8, "run": 3})
        for name in names for i, stream in enumerate(("vol", "slope"))
    ])  # fmt: skip
    overrides = pd.DataFrame({"date": dates[5:25], "node_id": names[-1], "p_vol_crisis": 0.6,
                              "parent": 0.2})  # fmt: skip
    blank = {f"{what}_{i}": v * i for what, v in (("mean", 1e-4), ("sd", 5e-3)) for i in (1, 2, 3)}
    fits = [{"date": day, "node_id": name, "kind": kind, "loglik": 1.0, **blank,
             "stay_1": 0.9, "stay_2": 0.95, "stay_3": 0.98}
            for day in dates[::63] for name in names[:2] for kind in ("trend", "vol")]  # fmt: skip
    flips = pd.DataFrame({"date": dates[::63], "rows": 900, "base_rate": 0.3, "brier": 0.19,
                          "brier_base": 0.20})  # fmt: skip
    flips.loc[0, ["brier", "brier_base"]] = np.nan
    return {
        "indices": indices, "breaks": breaks.reset_index(drop=True), "overrides": overrides,
        "hmm_fits": pd.DataFrame(fits), "flip_fits": flips,
    }  # fmt: skip


def flags() -> pd.DataFrame:
    """Tilts that help beyond chance, caps that cost beyond it, a target that no one can tell."""
    rows = [("none", 0.0, np.nan, np.nan), ("tilts", 0.08, 0.01, 0.15),
            ("caps", -0.05, -0.09, -0.01), ("target", 0.02, -0.11, 0.15),
            ("all", 0.04, -0.10, 0.18)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["flag", "d_sharpe", "low", "high"])
    return frame.assign(
        ann_return=0.09, ann_vol=0.11, sharpe=0.74 - frame["d_sharpe"], max_drawdown=-0.17,
        turnover=6.4, d_return=0.1 * frame["d_sharpe"], d_vol=-0.02 * frame["d_sharpe"].abs(),
    )  # fmt: skip


def sliced() -> dict:
    """The signal by year and by size, and alphas that promise twice what comes."""
    columns = ["dimension", "slice", "rank_ic", "ic", "t", "spread_bp", "n_days"]
    rows = [("year", str(2012 + k), 0.03 - 0.01 * k, 0.02, 3.0 - k, 40.0, 252) for k in range(5)]
    rows += [("size", name, 0.02, 0.02, np.nan, 30.0, 1000) for name in ("small", "large")]
    alpha = np.linspace(-0.01, 0.01, 10)
    return {
        "signal_slices": pd.DataFrame(rows, columns=columns),
        "calibration_check": pd.DataFrame(
            {"decile": np.arange(1, 11), "alpha": alpha, "realised": alpha / 2, "se": 0.001}
        ),
    }


def holdout(reads: int = 3, **changes) -> Holdout:
    """An open hold-out that this configuration read last."""
    rows = pd.DataFrame(
        {
            "utc": [f"2026-01-0{k + 1}T03:04:05.123456+00:00" for k in range(reads)],
            "user": "ada",
            "name": [f"s0-us-sim-{k}" for k in range(reads)],
            "config_hash": [f"{k:012x}" for k in range(reads - 1)] + ["5e0c1a7b9f24"],
            "kind": "read",
        }
    )
    base = Holdout("2018-01-02", None, False, reads, reads, rows, before=4)
    return replace(base, **changes)


def metrics() -> pd.DataFrame:
    rows = [
        ("portfolio", "ann_return", "decimal", 0.0915),
        ("portfolio", "ann_vol", "decimal", 0.1137),
        ("portfolio", "sharpe", "ratio", 0.74),
        ("portfolio", "sharpe_gross", "ratio", 0.91),
        ("portfolio", "psr", "probability", 0.981),
        ("portfolio", "dsr", "probability", 0.86),
        ("portfolio", "n_trials", "ideas", 3.0),
        ("portfolio", "n_configs", "configurations", 7.0),
        ("portfolio", "dsr_configs", "probability", 0.71),
        ("portfolio", "expected_max_sharpe", "a session", 0.027),
        ("portfolio", "max_drawdown", "decimal", -0.171),
        ("portfolio", "turnover_ann", "ratio", 6.4),
        ("portfolio", "cost_bp_ann", "bp", 74.0),
        ("portfolio", "beta", "ratio", 0.66),
        ("portfolio", "active_return", "decimal", -0.0081),
        ("portfolio", "active_return_lo", "decimal", -0.041),
        ("portfolio", "active_return_hi", "decimal", 0.026),
        ("portfolio", "tracking_error", "decimal", 0.062),
        ("portfolio", "information_ratio", "ratio", -0.13),
        ("portfolio", "skew", "ratio", -0.41),
        ("portfolio", "kurtosis", "ratio", 6.8),
        ("benchmark", "ann_return", "decimal", 0.0996),
        ("benchmark", "ann_vol", "decimal", 0.161),
        ("benchmark", "sharpe", "ratio", 0.58),
        ("benchmark", "max_drawdown", "decimal", -0.262),
        ("benchmark", "turnover_ann", "ratio", 0.9),
        ("benchmark", "cost_bp_ann", "bp", 5.0),
        ("SPY", "ann_return", "decimal", 0.102),
        ("SPY", "sharpe", "ratio", 0.61),
        ("alpha", "ic", "correlation", 0.021),
        ("alpha", "ic_t", "ratio", 2.4),
        ("alpha", "rank_ic", "correlation", 0.034),
        ("alpha", "rank_ic_t", "ratio", 3.6),
    ]
    return pd.DataFrame(rows, columns=["book", "metric", "unit", "value"])


def _nav(book, dates, daily, rng):
    share = np.clip(0.18 + 0.1 * np.sin(np.arange(dates.size) / 300), 0, 1)
    held = rng.integers(180, 240, dates.size)
    nav = 1e7 * np.cumprod(1 + daily)
    active = rng.exponential(0.02, dates.size) * (np.arange(dates.size) % 5 == 0)
    return pd.DataFrame(
        {
            "book": book,
            "date": dates,
            "nav": nav,
            "cash": share * nav,
            "cost": active * nav * 6e-4,
            "fee": active * nav * 1e-4,
            "turnover": active,
            "rf": 0.01 / 252,
            "n_held": held,
        }
    )


def _fills(dates, symbols, rng):
    days = np.repeat(dates[::5], symbols.size // 2)
    n = days.size
    who = np.concatenate([rng.permutation(symbols)[: symbols.size // 2] for _ in dates[::5]])
    ordered = np.round(rng.normal(0, 300, n))
    reason = rng.choice(["", "ADV cap", "suspended", "limit up"], n, p=[0.95, 0.03, 0.01, 0.01])
    part = np.where(reason == "", 1.0, np.where(reason == "ADV cap", 0.5, 0.0))
    price = rng.lognormal(3.5, 0.5, n)
    shares = np.round(ordered * part)
    notional = shares * price
    cost = 5e-4 * np.abs(notional) + 2e-9 * notional**2
    columns = {"date": days, "symbol": who, "ordered": ordered, "shares": shares, "price": price}
    columns |= {"notional": notional, "cost": cost, "fee": 1e-4 * np.abs(notional)}
    return pd.DataFrame(columns | {"reason": reason})


def _held(dates, symbols, rng):
    ends = pd.Series(dates, index=dates).groupby(dates.to_period("M")).last().to_numpy()
    raw = rng.gamma(1.2, 1.0, (ends.size, symbols.size))
    raw = 0.82 * raw / raw.sum(axis=1, keepdims=True)
    weights = pd.DataFrame(
        {
            "date": np.repeat(ends, symbols.size),
            "symbol": np.tile(symbols, ends.size),
            "weight": raw.ravel(),
        }
    )
    group = np.array([GROUPS[i % len(GROUPS)] for i in range(symbols.size)], dtype=object)
    industry = np.array([f"{g}.{i // len(GROUPS) % 2}" for i, g in enumerate(group)], dtype=object)
    membership = weights[["date", "symbol"]].assign(
        industry_id=np.tile(industry, ends.size), group_id=np.tile(group, ends.size)
    )
    membership = membership[rng.random(len(membership)) > 0.02]
    days = dates[::5]
    n = days.size
    relaxed = rng.random(n) < 0.04
    solves = pd.DataFrame(
        {
            "date": days,
            "status": "optimal",
            "solver": np.where(np.arange(n) % 9 == 0, "clarabel", "sifting"),
            "objective": rng.normal(0.01, 0.001, n),
            "violation": rng.random(n) * 1e-9,
            "gap": rng.random(n) * 1e-8,
            "turnover": rng.random(n) * 0.2,
            "tau": 0.2,
            "tau_eff": np.where(relaxed, 0.31, 0.2),
            "vol": 0.115 + 0.008 * np.sin(np.arange(n) / 20),
            "vol_target": 0.12,
            "vol_reached": np.where(relaxed, 0.128, 0.12),
            "cash": 0.2,
            "vol_binds": rng.random(n) < 0.4,
            "turnover_binds": rng.random(n) < 0.2,
            "group_binds": rng.random(n) < 0.1,
            "relaxed": relaxed,
            "n_names": 800,
            "n_held": 210,
            "rounds": 3,
            "reason": np.where(relaxed, "turnover: tau 0.20 < smallest feasible 0.31", ""),
        }
    )
    bound = bindings(solves, rng)
    return {"weights": weights, "membership": membership, "solves": solves, "bindings": bound}


def bindings(solves, rng):
    """Limits that bind at those solves, turnover that gave way, and leavers that take days."""
    blank = {"cause": "", "price_bp": 0.0, "binds": False, "relaxed": False, "names": 0}
    parts = []
    for flag, limit in (("vol_binds", "volatility"), ("group_binds", "group Energy")):
        days = solves.loc[solves[flag], "date"]
        price = rng.exponential(10.0, len(days))
        level = {"asked": 0.12, "reached": 0.12}
        parts.append(pd.DataFrame({"date": days, **blank, **level}).assign(
            limit=limit, price_bp=price, binds=True))  # fmt: skip
    loose = solves[solves["relaxed"]]
    parts.append(pd.DataFrame({"date": loose["date"], **blank}).assign(
        limit="turnover", cause="volatility come first", asked=0.2, reached=loose["tau_eff"],
        relaxed=True))  # fmt: skip
    waiting = solves.loc[rng.random(len(solves)) < 0.7, "date"]
    parts.append(pd.DataFrame({"date": waiting, **blank}).assign(
        limit="may not be held", cause="can not be sold today", asked=0.0, reached=0.004,
        relaxed=True, names=3))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _signal(dates, rng):
    n = dates.size
    rank = rng.normal(0.03, 0.12, n)

    def at(i):
        return dates[min(i, n - 1)]

    folds = [
        {
            "fold": i,
            "model": m,
            "horizon": 21,
            "draw": 0,
            "train_start": dates[0],
            "train_end": at(100 * i + 99),
            "label_end": at(100 * i + 99),
            "predict_start": at(100 * i + 100),
            "predict_end": at(100 * i + 199),
            "rows": 10_000 * (i + 1),
            "seed": 11 + i,
        }
        for i in range(4)
        for m in ("ridge", "lightgbm")
    ]
    cpcv = [
        (m, s, p, "0,1", rng.normal(0.03, 0.02), rng.normal(0.3, 0.1), rng.normal(1, 0.4))
        for m in ("ridge", "lightgbm")
        for s, p in [*((s, -1) for s in range(15)), *((-1, p) for p in range(5))]
    ]
    score = np.linspace(-2, 2, 10)
    bins = [
        (f, b, score[b], 8e-4 * score[b] + rng.normal(0, 4e-4), 8e-4 * score[b], 900)
        for f in range(3)
        for b in range(10)
    ]
    return {
        "alpha": pd.DataFrame(
            {
                "date": dates[:50],
                "symbol": "N000",
                "score": 0.1,
                "alpha": 1e-4,
                "fold": 0,
            }
        ),
        "ic": pd.DataFrame({"date": dates, "ic": rank * 0.7, "rank_ic": rank}),
        "quantiles": pd.DataFrame(
            {"bucket": range(1, 11), "mean_bp": np.linspace(-24, 29, 10), "se_bp": 6.0}
        ),
        "decay": pd.DataFrame(
            {"lag": [0, 1, 5, 10, 21, 42, 63], "rank_ic": 0.034 * 0.97 ** np.arange(7)}
        ),
        "folds": pd.DataFrame(folds),
        "cpcv": pd.DataFrame(
            cpcv, columns=["model", "split", "path", "test_groups", "ic", "icir", "sharpe"]
        ),
        "calibration": pd.DataFrame(
            bins, columns=["fold", "bin", "score", "realised", "alpha", "rows"]
        ),
    }


def _universe(dates, symbols, rng):
    ends = pd.Series(dates, index=dates).groupby(dates.to_period("M")).last().to_numpy()
    keep = rng.random((ends.size, symbols.size)) > 0.03
    row, column = np.nonzero(keep)
    members = pd.DataFrame(
        {
            "asof": ends[row],
            "effective": ends[row],
            "symbol": symbols[column],
            "rank": column,
            "adv": rng.lognormal(16, 1, row.size),
            "price": 20.0,
        }
    )
    rules = {"listed": 1500, "price": 1400, "history": 1200, "liquid": 900, "members": 800}
    counts = [(a, r, n + i) for i, a in enumerate(ends) for r, n in rules.items()]
    return {
        "members": members,
        "universe_counts": pd.DataFrame(counts, columns=["asof", "rule", "count"]),
        "quality": pd.DataFrame(
            {
                "date": dates[:6],
                "symbol": symbols[:6],
                "check": ["stale price", "impossible move"] * 3,
                "severity": ["warning", "error"] * 3,
                "value": 1.0,
                "detail": "5 sessions",
            }
        ),
        "notes": pd.DataFrame(
            {
                "topic": ["simulated", "survivorship"],
                "text": [
                    "Prices come from the embedded market, seed 42.",
                    "The source has no delisted names: returns are biased upwards.",
                ],
            }
        ),
    }


def comparison(jobs: int = 12, **changes) -> ComparisonInputs:
    """A sweep: the first job is the base, the second better, the last worse."""
    rng = generator(42, "comparison sample")
    dates = pd.bdate_range("2012-01-03", periods=1000).to_numpy()
    labels = ["as given", *(f"optimizer.risk_aversion={k}" for k in range(1, jobs))]
    shift = np.linspace(0.4, -0.4, max(jobs - 1, 1))
    sharpe = np.r_[0.7, 0.7 + shift][:jobs]
    frame = pd.DataFrame(
        {
            "job": range(jobs),
            "label": labels,
            "config_hash": [f"{k:012x}" for k in range(jobs)],
            "sharpe": sharpe,
            "sharpe_gross": sharpe + 0.2,
            "ann_return": 0.1 * sharpe,
            "ann_vol": 0.12,
            "max_drawdown": -0.2 + 0.01 * sharpe,
            "turnover_ann": 6.0 + np.arange(jobs),
            "cost_bp_ann": 70.0 + np.arange(jobs),
            "dsr": 0.8,
            "report": ["", *(f"../sprint0_US/report-{k}.html" for k in range(1, jobs))],
        }
    )
    difference = sharpe[1:] - sharpe[0]
    verdict = np.where(difference > 0.35, "BETTER", "INCONCLUSIVE")
    pairs = pd.DataFrame(
        {
            "book": labels[1:],
            "other": labels[0],
            "difference": difference,
            "se": 0.17,
            "low": difference - 0.35,
            "high": difference + 0.35,
            "p_value": 2.0 * ndtr(-np.abs(difference) / 0.17),
            "detectable": 0.49,
            "n_obs": 1000,
            "verdict": np.where(difference < -0.35, "WORSE", verdict),
        }
    )
    daily = rng.normal(0.0003, 0.007, (jobs, dates.size))
    inputs = ComparisonInputs(
        title=f"{jobs} jobs compared, US equity",
        region="us",
        git_sha="a19de4d",
        command="python -m quant.main --multirun optimizer.risk_aversion=1,2",
        periods=252,
        jobs=frame,
        pairs=pairs,
        curves={n: (dates, np.cumprod(1 + r)) for n, r in zip(labels, daily, strict=True)},
        n_configs=jobs,
        n_effective=max(jobs // 2, 1),
        pbo=0.41 if jobs >= 10 else None,
        simulated=True,
        notes=("DSR counts every trial in the ledger.",),
    )
    return replace(inputs, **changes)


def audit(**changes) -> AuditInputs:
    """Two dates, each cut and garbled, over three stages; everything the same, one table empty."""
    stages = (
        *(("universe", "members"), ("universe", "membership"), ("model2", "alpha")),
        ("qlib", "qlib_nav"),
    )
    rows = [
        (pd.Timestamp(cut), how, k, *pair, 0 if pair[0] == "qlib" else 1000 + k)
        for cut in ("2015-03-02", "2016-03-01")
        for how in ("cut", "garbled")
        for k, pair in enumerate(stages)
    ]
    frame = pd.DataFrame(rows, columns=["cut", "how", "step", "stage", "table", "rows"])
    frame = frame.assign(
        values=3 * frame["rows"], same=True, column="", symbol="", day=pd.NaT, whole="", replayed=""
    )
    names = [f"{how} {cut:%Y-%m-%d}" for cut, how in frame.groupby(["cut", "how"]).groups]
    inputs = AuditInputs(
        title="US equity, look-ahead audit",
        region="us",
        git_sha="a19de4d",
        config_hash="5e0c1a7b9f24",
        command="python -m quant.main stage=audit",
        simulated=True,
        rows=frame,
        seconds=dict(zip(names, (40.0, 41.0, 60.0, 59.0), strict=True)),
        run_seconds=100.0,
        holdout=holdout(),
        left_out=("Stage report draws tables that are compared here.",),
    )
    return replace(inputs, **changes)


def leak(rows: pd.DataFrame, at: int) -> pd.DataFrame:
    """The audit's rows with a difference in row `at`."""
    found = rows.astype({"day": "datetime64[ns]"})
    found.loc[at, ["same", "column", "symbol", "whole", "replayed"]] = [
        *(False, "score", "N007", "0.25", "0.5"),
    ]
    found["same"] = found["same"].astype(bool)
    found.loc[at, "day"] = pd.Timestamp("2015-02-27")
    return found
