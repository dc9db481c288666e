"""The words follow the numbers."""

import pandas as pd
import pytest

from quant.reporting.lookup import Metrics
from quant.reporting.verdict import verdict


def judge(years=5.0, theirs=None, **mine):
    rows = [("portfolio", k, "", v) for k, v in mine.items()]
    rows += [("benchmark", k, "", v) for k, v in (theirs or {}).items()]
    frame = pd.DataFrame(rows, columns=["book", "metric", "unit", "value"])
    return verdict(Metrics.of(frame), "the equal-weight universe", years)


@pytest.mark.parametrize(
    ("mine", "sharpe", "words"),
    [
        (0.12, 0.9, "Beat its benchmark after costs;"),
        (0.12, 0.5, "Earned more than its benchmark after costs, but less per unit of risk"),
        (0.08, 0.9, "Earned less than its benchmark after costs, but more per unit of risk"),
        (0.08, 0.5, "Did not beat its benchmark after costs;"),
    ],
)
def test_headline(mine, sharpe, words):
    said = judge(ann_return=mine, sharpe=sharpe, theirs={"ann_return": 0.10, "sharpe": 0.7})
    assert said.headline.startswith(words)
    assert "no test says whether that is chance" in said.headline


@pytest.mark.parametrize(
    ("low", "high", "certain", "tone"),
    [(-0.01, 0.05, False, "fair"), (0.01, 0.05, True, "good"), (-0.05, -0.01, True, "bad")],
)
def test_interval_decides(low, high, certain, tone):
    active = (low + high) / 2
    said = judge(active_return=active, active_return_lo=low, active_return_hi=high)
    text = " ".join(said.sentences)
    assert ("excludes zero" in text) is certain
    assert ("more than chance" in said.headline) is certain
    assert said.tone == tone


def test_without_an_interval_the_information_ratio_decides():
    """0.9 x sqrt(5) = 2.01 is beyond 1.96; 0.8 x sqrt(5) = 1.79 is not."""
    strong = judge(active_return=0.02, information_ratio=0.9)
    weak = judge(active_return=0.02, information_ratio=0.8)
    assert "t value of about 2.01: distinguishable" in " ".join(strong.sentences)
    assert "t value of about 1.79: not distinguishable" in " ".join(weak.sentences)


@pytest.mark.parametrize(("dsr", "word"), [(0.95, "passes 0.95"), (0.94, "does not pass 0.95")])
def test_deflated(dsr, word):
    said = judge(active_return=0.01, psr=0.99, dsr=dsr, n_trials=1.0)
    assert f"deflated for 1 idea (DSR) it is {dsr:.2f}, which {word}" in said.sentences[-1]


def test_nothing_to_compare():
    assert judge(ann_return=0.1).tone == "none"
