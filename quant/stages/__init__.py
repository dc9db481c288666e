"""Wiring, no mathematics: one short file a stage, listed here in the order of the story."""

from importlib import import_module
from typing import TYPE_CHECKING

from quant.core.errors import StageError

if TYPE_CHECKING:
    from quant.stages.registry import Stage

# name -> what it does; each is the module of that name in this folder and ends in a STAGE
CATALOGUE = {
    "ingest": "raw bars and actions from the provider, adjustment factors, quality checks",
    "universe": "monthly point-in-time universe and its industries",
    "dataset": "the same bars as a Qlib .bin dataset",
    "features": "what is known about every member at every close, and the labels",
    "model2": "stock alphas by walk-forward, chosen by purged cross-validation",
    "model1": "the state of every industry: tilts, caps, the volatility target",
    "importance": "what the models make of their features: Shapley values, families left out",
    "drift": "whether the features that the models lean on are distributed as they were",
    "replay": "the book at fixed costs, for the shortfall of its orders",
    "costs": "what trading costs by liquidity bucket: fixed, or fitted to that shortfall",
    "rl_train": "the controller of the optimizer's knobs, trained on market replay (rl.enabled)",
    "rl_eval": "the controller on its test sessions, beside constant, random and ruled knobs",
    "rl_gate": "the verdict: the controller against the best constant setting, by period",
    "optimize": "daily target weights, filled as wished: the optimizer alone",
    "backtest": "the day loop with real orders: lots, limits, suspensions, costs",
    "attribution": "what the regimes added or cost, flag by flag",
    "tca": "what trading cost: shortfall by part, styles on the same orders, capacity",
    "risk": "the forecast of risk scored against rivals, on what came",
    "qlib": "the recorded decisions replayed in Qlib, and how far the two agree",
    "evaluate": "returns, risk, deflated Sharpe, signal quality, exposures",
    "stress": "what delistings that the data lack would take",
    "report": "one self-contained HTML page",
    "cards": "a model card for every model of the run",
    "explain": "one session (date=...): what bound, what it cost, what gave way",
    "audit": "the run replayed without its future: every table of every stage, to the last bit",
    "score": "a logged ensemble (model=...) loaded and scored again: the same numbers, or an error",
    "tune": "settings of model2 searched for by Optuna, on labels older than the backtest",
    "reproduce": "a run made again from its bundle (bundle=...): the same hashes, or an error",
    "changes": "values under conf/ that changed (changes.base=...); an error where no line of "
    "CHANGELOG.md says so",
}
# what is done alone, when asked for
ALONE = ("explain", "audit", "score", "tune", "reproduce", "changes")

# what `quant.main` does with runs of its own
ORDERS = {
    "nightly": "regions=[us,cn] as of asof=..., the last since=3y, with ablations, on one page",
}

# what operators call a group of stages; the specification's Makefile targets use these
GROUPS = {
    "e2e": tuple(name for name in CATALOGUE if name not in ALONE),
    "data": ("ingest", "universe", "dataset"),
    "train": ("model2",),
    "opt": ("optimize",),
}


def load() -> list["Stage"]:
    """Import every stage of the catalogue."""
    return [import_module(f"quant.stages.{name}").STAGE for name in CATALOGUE]


def targets(name: str) -> tuple[str, ...]:
    """Stages that `stage=name` asks for. Raises StageError for an unknown name."""
    if name in GROUPS:
        return GROUPS[name]
    if name in CATALOGUE:
        return (name,)
    known = ", ".join([*GROUPS, *CATALOGUE, *ORDERS])
    raise StageError(f"stage={name} is not known; choose one of {known}.")
