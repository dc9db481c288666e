"""What was tried before, and what that leaves of the Sharpe ratio."""

import math

from quant.core.types import Frame
from quant.reporting.blocks import Block, Cell, Tabular, Text, cells, empty
from quant.reporting.formats import count, missing, number
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import Metrics

OPEN_ROWS = 10  # a longer table starts closed
LISTED = 300  # trials listed
PBO_NEEDS = 10  # configurations


def blocks(inputs: ReportInputs) -> list[Block]:
    """Trials in words and by idea."""
    metrics = Metrics.of(inputs.metrics)
    title = Text("How much luck is in it?", "sub")
    if missing(metrics("n_trials")) and not len(inputs.trials):
        return [title, empty("The ledger of trials was not asked")]
    words = [_counted(metrics), _luck(metrics, inputs.meta.periods_per_year), _overfit(metrics),
             _tuned(metrics)]  # fmt: skip
    return [title, Text(" ".join(w for w in words if w)), *_table(inputs)]


def _counted(m: Metrics) -> str:
    n, configs = m("n_trials"), m("n_configs")
    if missing(n):
        return ""
    if configs == 1:
        return (
            "This is the only configuration that the ledger has for this market: nothing was "
            "chosen among several, so that DSR is PSR."
        )
    known = "" if missing(configs) else f"{count(configs)} configurations were tried on this market"
    alike = "Those that trade alike count once, which leaves"
    ideas = f"{count(n)} idea{'s' * (n != 1)}"
    return f"{known}. {alike} {ideas}." if known else f"The ledger has {ideas}."


def _luck(m: Metrics, periods: int) -> str:
    """The threshold of luck, and the probabilities to be above it."""
    n, best, dsr = m("n_trials"), m("expected_max_sharpe"), m("dsr")
    parts = []
    if n > 1 and not missing(best):
        parts.append(
            f"The best of {count(n)} ideas without worth would show a Sharpe ratio of "
            f"{number(best * math.sqrt(periods))} by luck; this book shows {number(m('sharpe'))}."
        )
    if not missing(m("psr")):
        parts.append(
            f"The probability that its true Sharpe ratio is above zero is {number(m('psr'))} (PSR)"
            + (f", above that luck {number(dsr)} (DSR)" if n > 1 and not missing(dsr) else "")
            + (
                f"; with every configuration counted apart it is {number(m('dsr_configs'))}"
                if m("n_configs") > n and not missing(m("dsr_configs"))
                else ""
            )
            + "."
        )
    return " ".join(parts)


def _tuned(m: Metrics) -> str:
    """Settings tried on labels alone, which a backtest has to own up to."""
    n, inside = m("n_tuned"), m("n_tuned_inside")
    if missing(n) or n == 0:
        return ""
    before = (
        f"Beside these, {count(n)} setting{'s' * (n != 1)} of the models were tried by purged "
        "cross-validation on labels alone (stage=tune, stage=model2). "
    )
    if missing(inside) or inside == 0:
        return before + (
            "All these labels end before this backtest begins: they chose its settings without "
            "looking at it, and are not in its N."
        )
    return before + (
        f"The labels of {count(inside)} of them reach into this backtest: these looked at it, and "
        "each counts in its N."
    )


def _overfit(m: Metrics) -> str:
    pbo, configs = m("pbo"), m("n_configs")
    if not missing(pbo):
        return (
            f"The probability of backtest overfitting (PBO) is {number(pbo)}: so often the "
            "configuration that is best in one half of the sessions falls into the lower half of "
            "them all in the other."
        )
    if configs >= PBO_NEEDS:
        return (
            f"The probability of backtest overfitting (PBO) needs {PBO_NEEDS} configurations with "
            "returns over the same sessions."
        )
    return f"The probability of backtest overfitting (PBO) needs {PBO_NEEDS} configurations."


def _table(inputs: ReportInputs) -> list[Block]:
    frame = inputs.trials
    if len(frame) < 2:
        return []
    year = math.sqrt(inputs.meta.periods_per_year)
    shown = ordered(frame).head(LISTED)
    rows = []
    for r in shown.itertuples(index=False):
        own = "strong" if r.own else ""
        name = f"{r.name or r.config_hash}{' (this run)' if r.own else ''}"
        line = (count(r.cluster), name, number(r.sharpe_period * year), count(r.n_obs))
        rows.append(tuple(Cell(c.text, own) for c in cells(line)))
    left = len(frame) - len(shown)
    return [
        Tabular(
            f"Trials by idea ({count(len(frame))})",
            ("Idea", "Trial", "Sharpe", "Sessions"),
            tuple(rows),
            "One row for each distinct configuration that was ever evaluated on this market; the "
            "idea of this run first. A rerun is no trial. Trials are one idea where what they do "
            "beside the market goes together (mean correlation of at least evaluation.same_idea); "
            "what is not known of a trial keeps it apart."
            + f" {count(left)} more are not listed."
            * bool(left),
            texts=2,
            fold=len(frame) > OPEN_ROWS,
        )
    ]


def ordered(trials: Frame) -> Frame:
    """The run's own idea first, then by the best Sharpe ratio of each idea; own run on top."""
    best = trials.groupby("cluster")["sharpe_period"].transform("max").fillna(-math.inf)
    home = trials["cluster"].isin(trials.loc[trials["own"].astype(bool), "cluster"])
    keys = trials.assign(_home=home, _best=best)
    columns = ["_home", "_best", "cluster", "own", "sharpe_period", "config_hash"]
    ranked = keys.sort_values(columns, ascending=[False, False, True, False, False, True])
    return ranked.drop(columns=["_home", "_best"])
