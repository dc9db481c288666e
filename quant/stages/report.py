"""One self-contained HTML page from everything that was stored."""

import platform
import sys
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from quant.core import git, logs, tables
from quant.core.store import digest_json
from quant.core.types import Frame
from quant.governance import holdout
from quant.reporting.holdout import Holdout
from quant.reporting.inputs import ReportInputs, ReportMeta
from quant.reporting.page import render
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config

LIBRARIES = ("numpy", "pandas", "scikit-learn", "lightgbm", "xgboost", "clarabel", "pyqlib")
SHOWN = (
    tables.NAV, tables.METRICS, tables.FILLS, tables.WEIGHTS, tables.SOLVES, tables.ALPHA,
    tables.BINDINGS,
    tables.IC, tables.QUANTILES, tables.DECAY, tables.MEMBERS, tables.UNIVERSE_COUNTS,
    tables.QUALITY, tables.NOTES, tables.FOLDS, tables.CPCV, tables.CALIBRATION,
    tables.IMPORTANCE, tables.SHAP, tables.DRIFT, tables.ABLATION, tables.SIGNAL_SLICES,
    tables.CALIBRATION_CHECK,
    tables.MEMBERSHIP, tables.BENCHMARK, tables.TRIALS, tables.COMPARISONS, tables.SURVIVORSHIP,
    tables.RISK_FORECASTS, tables.RISK_OUTCOMES, tables.RISK_SCORES,
    tables.STATES, tables.REGIME, tables.PARENT_STATES, tables.OVERRIDES, tables.BREAKS,
    tables.INDICES, tables.HMM_FITS, tables.FLIP_FITS, tables.ATTRIBUTION,
    tables.TCA_ORDERS, tables.TCA_HOURS, tables.EXEC_STYLES, tables.EXEC_GATE, tables.CAPACITY,
    tables.PACE, tables.LAMBDA_PARAMS, tables.COST_FITS,
    tables.POLICY_INFO, tables.RL_CURVE, tables.RL_LOOKS, tables.RL_SEARCH, tables.RL_BOOKS,
    tables.RL_KNOBS, tables.RL_GATE, tables.RL_SAFETY,
)  # fmt: skip


def settings(config: "Config") -> dict[str, Any]:
    """What the page prints: the settings, their hash, and the code they ran on."""
    from quant.config import config_hash, resolved

    shown = {k: v for k, v in resolved(config).items() if k not in ("paths", "tracking")}
    return {
        "git_sha": git.sha(),
        "config_hash": config_hash(config),
        "config": shown,
        "command": logs.redact(" ".join(["python -m quant.main", *sys.argv[1:]])),
    }


_looks: dict[str, holdout.Status] = {}


def external(config: "Config") -> str:
    """Digest of what the ledger says of the hold-out now.

    What is read here is what the page shows, though the ledger may have grown meanwhile.
    """
    from quant.config import config_hash

    found = _looks[config_hash(config)] = looks(config)
    return digest_json({**vars(found), "rows": found.rows.to_dict("records")})


def looked(config: "Config") -> Holdout:
    """The looks whose digest entered the key, as the page shows them."""
    from quant.config import config_hash

    return Holdout(**vars(_looks.pop(config_hash(config), None) or looks(config)))


def looks(config: "Config") -> holdout.Status:
    """What is known of the hold-out of this run, or else of the market's."""
    from quant.stages.ingest import holdout_market

    own = config.evaluation.holdout
    path = Path(config.paths.holdout)
    return holdout.status(path, holdout_market(config), own.start, own.end, own.locked)


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Render; the page depends on stored results and settings alone, so that it repeats."""
    (c.scratch / "report.html").write_text(render(gathered(s, f, c)))
    return {}


def gathered(s: Mapping[str, Any], f: Inputs, c: Context) -> ReportInputs:
    """Every frame that is shown, and the facts of the run."""
    nav = f["nav"]
    own = nav[nav["book"] == "portfolio"]
    frames = {t.name: f[t.name] for t in SHOWN}
    meta = _meta(s, own, frames["folds"], bool((frames["notes"]["topic"] == "SIMULATED").any()))
    return ReportInputs(meta=meta, holdout=c.private or Holdout(), **frames)


def _meta(s: Mapping[str, Any], own: Frame, seeds: Frame, simulated: bool) -> ReportMeta:
    config = s["config"]
    region = config["region"]
    dates: list[date] = [d.date() for d in pd.to_datetime(own["date"].iloc[[0, -1]])]
    taxed = config["costs"]["statutory"] and region["name"] == "cn"
    fee = ", plus stamp duty and transfer fee by date and side" * taxed
    cashless = (
        ()
        if own["rf"].to_numpy().any()
        else ("The data has no risk-free rate: cash earns nothing; Sharpe is of raw returns.",)
    )
    return ReportMeta(
        title=f"{region['name'].upper()} equity, {config['sprint'].upper()}",
        region=region["name"],
        currency=region["currency"],
        sprint=config["sprint"],
        git_sha=s["git_sha"],
        config_hash=s["config_hash"],
        run_id="in this file's name",
        seed=config["seed"],
        provider=config["data"]["provider"],
        simulated=simulated,
        start=dates[0],
        end=dates[1],
        periods_per_year=region["periods"],
        started="see the run's log",
        conventions=(
            f"Returns are arithmetic means times {region['periods']} sessions; the compounded rate "
            "stands beside them.",
            "Sharpe is of returns in excess of cash, ddof 1, annualised by the square root of "
            f"{region['periods']}; PSR and DSR use per-period values, raw kurtosis and T - 1 "
            "(Bailey and Lopez de Prado 2014).",
            "Signals are known at the close of t, the optimizer runs after it, and trades fill in "
            f"session t+1, {_filled(config)}. Turnover is two-way.",
            f"Costs: {_paid(config)}{fee}.",
            "The benchmark is the equal-weight universe, rebalanced when the universe is "
            "(monthly), traded by the same engine, whole and at the open, at the costs that the "
            "optimizer reckons with.",
            "Dividends are reinvested at the ex-date's reference price; a delisting pays its last "
            f"price times (1 + delisting return), {config['universe']['delist_return']:.0%} where "
            "unknown and performance-related.",
            *cashless,
        ),
        config_yaml=_yaml(config),
        command=s["command"],
        model_seeds={
            f"fold {r.fold} {r.model}-h{r.horizon}-d{r.draw}": int(r.seed)
            for r in seeds.itertuples()
        },
        versions={"python": platform.python_version(), **{n: version(n) for n in LIBRARIES}},
        horizon=config["model2"]["label"]["horizon"],
        lambda1=_linear(config),
        group_cap=config["optimizer"]["group_max"],
        relative=config["optimizer"]["relative"],
    )


def _filled(config: Mapping[str, Any]) -> str:
    style = config["execution"]["style"]
    return {
        "MOO": "at the open",
        "POV": "by percentage of volume; what is left at the close is cancelled",
        "VWAP": "in slices by volume; what is left at the close is cancelled",
    }[style]


def _paid(config: Mapping[str, Any]) -> str:
    """What a fill pays, in words."""
    if config["execution"]["impact"] == "lambda":
        return "lambda1 |dw| + lambda2 dw^2 of NAV"
    law = {"almgren": "Almgren et al. 2005", "square_root": "the square-root law"}
    return f"half the spread and impact by {law[config['execution']['impact']]}, simulated"


def _linear(config: Mapping[str, Any]) -> float | None:
    """Rate of the linear cost where it is one number, which splits the cost."""
    costs = config["costs"]
    plain = config["execution"]["impact"] == "lambda" and costs["model"] == "fixed"
    return costs["lambda1"] * costs["multiplier"] if plain else None


def _yaml(config: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(config), sort_keys=False)


STAGE = Stage(
    "report",
    needs=SHOWN,
    makes=(),
    files=("report.html",),
    settings=settings,
    private=looked,
    external=external,
    run=run,
    module=__name__,
)
