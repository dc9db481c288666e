"""What the page says of the forecast of risk."""

from dataclasses import replace

import pytest

from quant.reporting.blocks import Figure, Tabular
from quant.reporting.sections.risk import blocks, rivals_said, said
from tests.reporting import sample


@pytest.fixture(scope="module")
def inputs():
    return sample.full(names=6, years=1.5)


def test_the_words_give_forecast_outcome_and_band(inputs):
    text = said(inputs.risk_scores)
    assert "For the book, Ledoit-Wolf predicted 15.0% volatility a year, and 16.0% came" in text
    assert "bias statistic 1.07, inside [0.86, 1.14], over 17 windows" in text
    low = inputs.risk_scores.assign(bias=1.3)
    assert "bias statistic 1.30, outside [0.86, 1.14]" in said(low)


def test_a_mean_over_portfolios_is_held_against_no_band_of_one(inputs):
    _, every = said(inputs.risk_scores.assign(bias=1.3, inside=0.62)).split("For all but the book")
    assert "mean bias statistic 1.30, in band 62% of portfolios (95% if" in every
    assert "inside" not in every and "outside" not in every


def test_the_table_says_that_a_delisting_costs_nothing(inputs):
    foot = [b for b in blocks(inputs) if isinstance(b, Tabular)][0].foot
    assert "a missing return counts as 0" in foot


def test_a_better_rival_is_named_and_doubt_is_said(inputs):
    frame = inputs.risk_scores
    assert rivals_said(frame).startswith("No rival forecast significantly better")
    assert "INCONCLUSIVE: 4 of 4 comparisons" in rivals_said(frame)
    better = (frame["kind"] == "book") & (frame["model"] == "sample")
    lost = frame.assign(verdict=frame["verdict"].mask(better, "WORSE"))
    text = rivals_said(lost)
    assert "A rival forecast significantly better: sample (the book)." in text
    assert "INCONCLUSIVE: 3 of 4 comparisons" in text


def test_a_riskless_portfolio_that_was_not_is_shown_as_infinite(inputs):
    tables = [b for b in blocks(inputs) if isinstance(b, Tabular)]
    (row,) = (r for r in tables[-1].rows if r[0].text == "sample")
    assert [c.text for c in row] == ["sample", "0.0%", "16.0%", "∞", "∞", "∞"]


def test_without_scores_it_says_so_and_without_forecasts_it_draws_nothing(inputs):
    bare = replace(inputs, risk_scores=inputs.risk_scores.iloc[:0])
    assert [b.kind for b in blocks(bare)] == ["sub", "empty"]
    undrawn = replace(inputs, risk_forecasts=inputs.risk_forecasts.iloc[:0])
    drawn = [sum(isinstance(b, Figure) for b in blocks(i)) for i in (inputs, undrawn)]
    assert drawn == [1, 0]
