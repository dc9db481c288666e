"""How far to trust it: the words and tables agree with the frames they are made from."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant.reporting.compared import comparisons, sentence
from quant.reporting.formats import number
from quant.reporting.holdout import Holdout, blocks, told, warning
from quant.reporting.page import render
from quant.reporting.sections import stress, tried, trust
from tests.reporting import sample

OWN = sample.meta().config_hash


@pytest.fixture(scope="module")
def inputs():
    return sample.full(names=8, years=1.2)


def told_of(blocks):
    return " ".join(b.text for b in blocks if b.kind_of == "text")


def tables(blocks):
    return {b.title: b for b in blocks if b.kind_of == "table"}


def with_metrics(inputs, **values):
    frame = inputs.metrics[~inputs.metrics["metric"].isin(values)]
    rows = [("portfolio", k, "", v) for k, v in values.items() if v is not None]
    return replace(inputs, metrics=pd.concat([frame, pd.DataFrame(rows, columns=frame.columns)]))


# -- comparisons


def test_the_benchmark_comes_first_whatever_the_order(inputs):
    for rows in (inputs.comparisons, inputs.comparisons[::-1]):
        found = comparisons(replace(inputs, comparisons=rows))
        assert [c.other for c in found] == ["the equal-weight universe", "SPY"]
        assert [c.benchmark for c in found] == [True, False]


def test_years_and_power_are_said(inputs):
    first = comparisons(inputs)[0]
    assert first.years == pytest.approx(inputs.comparisons["n_obs"].iloc[0] / 252)
    said = sentence(first)
    assert said.startswith("INCONCLUSIVE against the equal-weight universe")
    assert "0.16 higher (95% −0.23 to +0.55, p 0.42), which may be chance" in said
    assert f"below 0.56 could have gone unnoticed in {number(first.years, 1)} years" in said


def test_a_comparison_without_an_interval_is_dashed(inputs):
    rows = inputs.comparisons.assign(low=np.nan, high=np.nan, detectable=np.nan)
    first = comparisons(replace(inputs, comparisons=rows))[0]
    assert first.interval == "–" and "nan" not in sentence(first)
    assert "unnoticed" not in sentence(first)


def test_the_tiles_take_the_benchmark_not_an_index(inputs):
    index = inputs.comparisons[inputs.comparisons["other"] == "SPY"]
    tiles = trust.build(replace(inputs, comparisons=index)).blocks[0].tiles
    assert [t.value for t in tiles[:2]] == ["–", "–"]


# -- trials


def test_luck_is_annualised(inputs):
    said = told_of(tried.blocks(inputs))
    assert "7 configurations were tried on this market" in said and "leaves 3 ideas" in said
    assert f"Sharpe ratio of {number(0.027 * math.sqrt(252))} by luck" in said
    assert "0.98 (PSR), above that luck 0.86 (DSR)" in said
    assert "counted apart it is 0.71" in said
    tile = {t.name: t for t in trust.build(inputs).blocks[0].tiles}["Luck alone would show"]
    assert tile.value == number(0.027 * math.sqrt(252))


def test_a_first_trial_is_not_deflated(inputs):
    one = with_metrics(inputs, n_trials=1.0, n_configs=1.0, dsr_configs=None)
    blocks_ = tried.blocks(replace(one, trials=inputs.trials.head(1)))
    assert "only configuration" in told_of(blocks_) and "that luck" not in told_of(blocks_)
    assert tables(blocks_) == {}


@pytest.mark.parametrize(
    ("pbo", "configs", "words"),
    [
        (0.41, 12.0, "overfitting (PBO) is 0.41"),
        (None, 9.0, "needs 10 configurations."),
        (None, 12.0, "needs 10 configurations with returns over the same sessions."),
    ],
)
def test_pbo_says_what_it_lacks(inputs, pbo, configs, words):
    assert words in told_of(tried.blocks(with_metrics(inputs, pbo=pbo, n_configs=configs)))


def test_trials_are_listed_by_idea_the_own_one_first(inputs):
    (table,) = tables(tried.blocks(inputs)).values()
    assert len(table.rows) == len(inputs.trials) and not table.fold
    first, *rest = table.rows
    assert "(this run)" in first[1].text and first[1].css == "strong"
    assert not any("(this run)" in r[1].text for r in rest)
    assert [r[0].text for r in table.rows] == ["1", "1", "1", "2", "2", "3", "3"]
    assert table.rows[0][2].text == number(0.047 * math.sqrt(252))


def test_a_long_ledger_is_folded_and_cut(inputs):
    n = tried.LISTED + 7
    many = pd.DataFrame(
        {"config_hash": [f"{k:012x}" for k in range(n)], "name": "", "sharpe_period": 0.01}
        | {"n_obs": 500, "cluster": np.arange(n) + 1, "own": np.arange(n) == n - 1}
    )
    (table,) = tables(tried.blocks(replace(inputs, trials=many))).values()
    assert table.fold and len(table.rows) == tried.LISTED
    assert "7 more are not listed" in table.foot
    assert "(this run)" in table.rows[0][1].text  # never among those left out


# -- survivorship


def stressed(**changes):
    base = {"hazard": "uniform", "rate": 0.01, "loss": -0.3, "active": 0.018, "break_even": 0.2}
    return pd.DataFrame([base | c for c in changes.get("rows", [{}])])


def test_the_words_take_the_worse_hazard_and_the_mildest_loss():
    rows = [
        {"hazard": h, "rate": r, "loss": loss, "active": 0.02 + times * r * loss,
         "break_even": 0.02 / -loss / times}
        for h, times in (("uniform", 0.1), ("losers", 0.4))
        for r in (0.01, 0.02)
        for loss in (-0.3, -0.55)
    ]  # fmt: skip
    said = stress.said(stressed(rows=rows), 0.02)
    assert "delisted at −30%" in said and "striking only the fifth that lost most" in said
    # 0.4 x 1 % x 30 % = 0.12 pp, which is 6 % of 2 pp; nil at 2 % / (0.4 x 55 %)
    assert "+1.9 pp at 1% of the names a year, 6% less" in said
    assert "+1.8 pp at 2% of the names a year, 12% less" in said
    assert "nil at 9.1% a year at a loss of 55%" in said


@pytest.mark.parametrize(
    ("active", "after", "words"),
    [
        (-0.01, -0.012, "not above zero even without them"),
        (0.01, 0.012, "would lose more than this book"),
        (0.01, 0.009, "No rate up to 100% a year would bring it to nil"),
    ],
)
def test_no_share_is_taken_of_what_is_not_there(active, after, words):
    said = stress.said(stressed(rows=[{"active": after, "break_even": np.nan}]), active)
    assert words in said and ("% less" in said) is (0 < after < active)


def test_the_band_begins_where_nothing_is_delisted(inputs):
    page = render(inputs)
    active = inputs.metrics.set_index("metric")["value"]["active_return"]
    rows = inputs.survivorship[inputs.survivorship["hazard"] == "losers"]
    band = stress._band(rows[rows["loss"] == -0.3], -0.3, active, 0)
    assert band.x[0] == 0 and band.values[0] == band.low[0] == band.high[0] == active
    assert list(band.x[1:]) == [0.005, 0.01, 0.02, 0.04]
    assert page.count("Active return a year, striking") >= 2


# -- hold-out


def test_none_says_how_to_set_one():
    assert "evaluation.holdout.start=" in told(Holdout(), OWN)
    assert warning(Holdout(), OWN) == "" and len(blocks(Holdout(), OWN)) == 1


def test_a_locked_one_was_not_seen():
    own = sample.holdout(locked=True, end="2019-12-31")
    assert "from 2018-01-02 to 2019-12-31 is locked: this run ended before it" in told(own, OWN)
    assert "3 times, by 3 configurations; last on 2026-01-03 03:04 by ada" in told(own, OWN)
    assert "4 configurations had been tried" in told(own, OWN)
    assert warning(own, OWN) == ""  # whatever the configuration did before


def test_a_run_whose_data_end_before_it_has_not_seen_it(inputs):
    assert "is open to this run" in told(inputs.holdout, OWN)
    assert "lies outside the data of this run" in told(inputs.holdout, "another")
    tile = trust.build(replace(inputs, meta=sample.meta(config_hash="another"))).blocks[0].tiles[4]
    assert tile.value == "Unseen"


def test_a_look_is_warned_of_on_the_first_screen(inputs):
    said = warning(inputs.holdout, OWN)
    assert said.startswith("This run reads the hold-out") and "3 times" in said
    assert said in render(inputs)
    assert warning(inputs.holdout, "another") == ""


def test_an_undeclared_look_is_called_so():
    rows = sample.holdout().rows.assign(kind="undeclared")
    assert "does not say so" in warning(sample.holdout(rows=rows), OWN)


def test_looks_are_listed_newest_first():
    _, table = blocks(sample.holdout(reads=12), OWN)
    assert len(table.rows) == 12 and table.fold
    assert table.rows[0][3].text == OWN
    assert "Nobody has looked at it." in told(Holdout("2018-01-02", locked=True), OWN)
