"""The page of a change: the values, and what they did to the runs of a night."""

import re

import numpy as np
import pandas as pd

from quant.reporting import changes
from quant.reporting.formats import DASH
from tests.reporting.pages import sound

ROWS = pd.DataFrame([{
    "key": "optimizer.turnover.tau", "old": "0.2", "new": "0.1", "where": "region=us", "told": True
}])  # fmt: skip


def run(name: str, before: float, after: float, **said) -> dict:
    own = {"run": name, "sharpe_before": before, "sharpe_after": after,
           "low": -0.3, "high": 0.2, "verdict": "INCONCLUSIVE", **said}  # fmt: skip
    for key in ("ann_return", "max_drawdown", "cost_bp_ann", "turnover_ann"):
        own |= {f"{key}_before": 0.1, f"{key}_after": 0.15}
    return own


def cells(html: str) -> list[list[str]]:
    """Text of every row of the section."""
    part = html[html.index('id="deltas"'):]  # fmt: skip
    rows = re.findall(r"<tr.*?</tr>", part, flags=re.S)
    return [[re.sub(r"<.*?>", "", c).strip() for c in re.findall(r"<t[dh].*?</t[dh]>", r, re.S)]
            for r in rows]  # fmt: skip


def test_runs_and_ablations_stand_before_and_after():
    nan = {"low": np.nan, "high": np.nan, "verdict": ""}
    found = pd.DataFrame([run("us-base", 1.0, 1.2), run("us-no_tilt", 0.9, 0.85),
                          run("cn-cost_x2", 0.5, 0.5, **nan)])  # fmt: skip
    html = changes.render(ROWS, "abc", "hash", "python -m quant.main", found)
    sound(html)
    rows = cells(html)
    base = next(r for r in rows if r[:2] == ["US", "As it stands"])
    assert base[2:7] == ["INCONCLUSIVE", "1.00", "1.20", "+0.20", "−0.30 to +0.20"]
    short = next(r for r in rows if r[0] == "CN")
    assert short[2] == short[6] == DASH  # too few sessions: no verdict
    # the regimes were worth 0.10, and are worth 0.35 now
    assert ["US", "No regimes", "−0.10", "−0.35", "−0.25"] in rows
    assert sum(r[0] == "CN" for r in rows) == 1  # no base: an ablation of nothing


def test_without_nights_the_page_says_nothing_of_them():
    html = changes.render(ROWS, "abc", "hash", "python -m quant.main")
    sound(html)
    assert 'id="deltas"' not in html and "0.1" in html
