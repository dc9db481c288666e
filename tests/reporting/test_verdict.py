"""The words follow the numbers."""

import pandas as pd
import pytest

from quant.reporting.compared import Compared
from quant.reporting.lookup import Metrics
from quant.reporting.verdict import verdict


def judge(years=5.0, theirs=None, compared=None, **mine):
    rows = [("portfolio", k, "", v) for k, v in mine.items()]
    rows += [("benchmark", k, "", v) for k, v in (theirs or {}).items()]
    frame = pd.DataFrame(rows, columns=["book", "metric", "unit", "value"])
    return verdict(Metrics.of(frame), "the equal-weight universe", years, compared)


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


def pair(verdict, difference=0.2, detectable=0.56):
    return Compared(
        "the equal-weight universe", difference, difference - 0.4, difference + 0.4, 0.31,
        detectable, 8.0, verdict, benchmark=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("word", "difference", "headline", "tone"),
    [
        ("INCONCLUSIVE", 0.2, "INCONCLUSIVE: beat its benchmark after costs; the", "fair"),
        ("BETTER", 0.6, "BETTER than its benchmark per unit of risk, by more than", "good"),
        ("WORSE", -0.6, "WORSE than its benchmark per unit of risk, by more than", "bad"),
    ],
)
def test_a_test_of_the_sharpe_ratios_has_the_last_word(word, difference, headline, tone):
    """Though the interval of the active return leaves zero out."""
    said = judge(
        compared=pair(word, difference),
        ann_return=0.12, sharpe=0.9, active_return_lo=0.01, active_return_hi=0.03,
        theirs={"ann_return": 0.10, "sharpe": 0.9 - difference},
    )  # fmt: skip
    assert said.headline.startswith(headline) and said.tone == tone
    assert "difference below 0.56 could have gone unnoticed in 8.0 years" in said.sentences[1]


@pytest.mark.parametrize(("word", "told"), [("INCONCLUSIVE", False), ("BETTER", True)])
def test_the_active_return_is_told_where_it_says_otherwise(word, told):
    said = judge(
        compared=pair(word), active_return=0.02, active_return_lo=-0.01, active_return_hi=0.05
    )
    assert ("contains zero" in " ".join(said.sentences)) is told


def test_a_book_that_is_its_benchmark_is_not_tested():
    said = judge(compared=pair("INCONCLUSIVE", 0.0, 0.0), active_return=0.0)
    assert "INCONCLUSIVE" not in said.headline
    assert "gone unnoticed" not in " ".join(said.sentences)


def test_ideas_are_told_from_configurations():
    said = judge(active_return=0.01, psr=0.99, dsr=0.9, n_trials=5.0, n_configs=14.0)
    assert "deflated for 5 ideas of 14 configurations (DSR)" in said.sentences[-1]
