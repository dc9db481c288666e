"""Quality of the bars, found from the bars themselves; no second vendor is needed.

`check` lists suspicious rows with a sentence each. Severity `error` means that the row contradicts
its neighbours in a way that markets hardly do; `warning` is worth a look. A wrong close spoils two
returns, so the day after an erroneous one is listed as well.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant.core.panel import Panel
from quant.core.tables import QUALITY
from quant.core.types import Dates, Frame, Mask, Matrix
from quant.data import quality_evidence as evidence
from quant.data.providers.base import empty

SENTENCES = {
    "broken_ohlc": "high or low does not enclose the other prices, by {:.2%}",
    "flat_bar": "open, high, low and close are one price on a traded day; the next move is {:.2%}",
    "copied_bar": "the same four prices stand on another day within 63 sessions; off by {:.2%}",
    "island_bar": "the whole day lies {:.2%} apart from the day before and the day after",
    "reversal": "a move of {:.2%} against the market is undone the next day",
    "wrong_dividend": "the price did not fall with the dividend; return off by {:.2%}",
    "large_distribution": "a distribution of {:.0%} of the price: check value and date",
    "wrong_split": "the return over the split is {:.2%}: check ratio and date",
    "unapplied_split": "a move of {:.2%} that stays looks like a split without an action",
    "missing_session": "no row on {:.0f} sessions from here on, though the exchange was open",
    "stale_price": "the close has not moved for {:.0f} sessions",
    "no_volume": "a row without volume",
}
AFTER = "return from the doubtful close of the day before ({})"


@dataclass(frozen=True)
class Thresholds:
    """When evidence counts; log returns, and multiples of a name's own usual move.

    stale      : move that shows a flat bar to be stale
    copy       : displacement that shows which of two equal bars is the copy
    island     : gap on both sides; island_moves: displacement in usual moves
    undone     : share of a move that may remain after its reversal
    dividend   : how much nearer the price is to no dividend at all
    jump       : move that a split without an action leaves
    stale_run  : sessions with one close; distribution: share of the price
    """

    stale: float = 0.015
    copy: float = 0.01
    copy_window: int = 63
    island: float = 0.01
    island_least: float = 0.015
    island_moves: float = 2.5
    reversal: float = 0.08
    reversal_moves: float = 8.0
    reversal_warning: float = 0.03
    undone: float = 0.2
    dividend: float = 0.02
    dividend_moves: float = 3.0
    distribution: float = 0.10
    jump: float = 0.35
    split: float = 0.15
    stale_run: int = 5


def check(bars: Frame, actions: Frame, sessions: Dates, limits: Thresholds | None = None) -> Frame:
    """QUALITY: suspicious rows of `bars`, sorted by date, symbol and check.

    bars : BARS; actions : ACTIONS; sessions : (n_days,) datetime64[D] of the exchange
    """
    if not len(bars):
        return empty(QUALITY)
    limits = limits or Thresholds()
    panel = Panel.of(bars, evidence.FIELDS, dates=np.asarray(sessions).astype("datetime64[D]"))
    facts = evidence.gather(panel, actions)
    found = [*_bars(panel, facts, limits), *_actions(facts, limits), *_gaps(panel, limits)]
    rows = [_rows(panel, *one) for one in found]
    frame = pd.concat([part for part in rows if len(part)] or [empty(QUALITY)])
    frame = frame.sort_values(["date", "symbol", "check", "severity"], kind="stable")
    return frame.drop_duplicates(list(QUALITY.key)).reset_index(drop=True)


Finding = tuple[str, Mask, Matrix, str]


def _bars(panel: Panel, facts: evidence.Facts, limits: Thresholds) -> list[Finding]:
    """Findings within single bars and between neighbouring ones."""
    broken = evidence.broken(panel)
    flat, copied = evidence.flat(panel), evidence.copied(panel, limits.copy_window)
    repeated = evidence.copied(panel, 1, ("open", "high", "low"))
    move = np.fmax(np.abs(facts.move), np.abs(facts.next_move))
    stale = flat & facts.unmoved & (move > limits.stale)
    displaced = copied & (facts.displacement > limits.copy) | repeated & (move > limits.stale)
    island = evidence.island(panel)
    apart = (
        (island > limits.island)
        & (facts.displacement > limits.island_least)
        & (facts.displacement > limits.island_moves * facts.usual)
    )
    undone = np.abs(facts.move + facts.next_move) < limits.undone * facts.displacement
    large = facts.displacement > limits.reversal_moves * facts.usual
    reversal = undone & large & ~facts.bounded & (facts.displacement > limits.reversal_warning)
    surely = reversal & (facts.displacement > limits.reversal)
    return [
        ("broken_ohlc", broken > 0, broken, "error"),
        *_both("flat_bar", flat, stale, move),
        *_both("copied_bar", copied | repeated, displaced, np.fmax(facts.displacement, 0.0)),
        *_both("island_bar", apart, apart, island),
        *_both("reversal", reversal, surely, facts.displacement),
    ]


def _both(name: str, all_: Mask, sure: Mask, value: Matrix) -> list[Finding]:
    """Errors with the day after, and what remains as warnings."""
    after = np.zeros_like(sure)
    after[1:] = sure[:-1]
    late = np.full(value.shape, np.nan)
    late[1:] = value[:-1]
    return [
        (name, sure, value, "error"),
        (f"{name}+", after & ~sure, late, "error"),
        (name, all_ & ~sure & ~after, value, "warning"),
    ]


def _actions(facts: evidence.Facts, limits: Thresholds) -> list[Finding]:
    """Findings about dividends and splits."""
    with np.errstate(invalid="ignore"):
        wrong = (
            (facts.dividend_excess > limits.dividend)
            & (facts.payout > limits.dividend / 2)
            & (np.abs(facts.move) > limits.dividend_moves * facts.usual)
        )
        large = facts.payout > limits.distribution
        split = facts.split & (np.abs(facts.move) > limits.split)
        jump = (
            ~facts.split
            & (facts.payout == 0)
            & facts.ratio_like
            & (np.abs(facts.move) > limits.jump)
            & (np.abs(facts.move + facts.next_move) > 0.5 * np.abs(facts.move))
        )
    return [
        ("wrong_dividend", wrong, facts.dividend_excess, "error"),
        ("large_distribution", large, facts.payout, "warning"),
        ("wrong_split", split, facts.move, "error"),
        ("unapplied_split", jump, facts.move, "warning"),
    ]


def _gaps(panel: Panel, limits: Thresholds) -> list[Finding]:
    """Findings about what is missing or does not move."""
    china = any(str(name).endswith((".SH", ".SZ", ".BJ")) for name in panel.symbols[:1])
    missing = np.zeros(panel.shape) if china else evidence.missing(panel["close"])
    run = evidence.stale_run(panel["close"])
    return [
        ("missing_session", missing > 0, missing, "warning"),
        ("stale_price", run >= limits.stale_run, run, "warning"),
        ("no_volume", panel["volume"] == 0, panel["volume"], "warning"),
    ]


def _rows(panel: Panel, name: str, mask: Mask, value: Matrix, severity: str) -> Frame:
    row, column = np.nonzero(mask)
    check_, after = name.rstrip("+"), name.endswith("+")
    sentence = SENTENCES[check_]
    text = [sentence.format(v) for v in value[row, column]]
    return pd.DataFrame(
        {
            "date": panel.dates[row].astype("datetime64[ns]"),
            "symbol": panel.symbols[column],
            "check": check_,
            "severity": severity,
            "value": value[row, column],
            "detail": [AFTER.format(t) for t in text] if after else text,
        }
    )


def summary(findings: Frame) -> Frame:
    """Counts by check and severity: check, severity, rows, symbols, first, last."""
    columns = ["check", "severity", "rows", "symbols", "first", "last"]
    if not len(findings):
        return pd.DataFrame(columns=columns)
    grouped = findings.groupby(["check", "severity"])
    table = grouped.agg(
        rows=("date", "size"),
        symbols=("symbol", "nunique"),
        first=("date", "min"),
        last=("date", "max"),
    )
    return table.reset_index()[columns]


def score(findings: Frame, known: Frame, severity: str | None = "error") -> dict[str, float]:
    """Recall and precision of the findings' (date, symbol) against a list of known faults.

    known : date, symbol of rows that another source contradicts; severity None takes all findings
    Precision is a lower bound: a fault that the list does not hold counts against it.
    """
    if severity is not None:
        findings = findings[findings["severity"] == severity]
    pair = ["date", "symbol"]
    flagged, wanted = findings[pair].drop_duplicates(), known[pair].drop_duplicates()
    hits = len(flagged.merge(wanted, on=pair))
    return {
        "flagged": float(len(flagged)),
        "known": float(len(wanted)),
        "hits": float(hits),
        "recall": hits / max(len(wanted), 1),
        "precision": hits / max(len(flagged), 1),
    }
