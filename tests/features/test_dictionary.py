"""The dictionary says of every feature what it is, how far it looks back, and where it is from."""

import numpy as np

from quant.features import PRODUCERS, compute, dictionary
from tests.features import market

BARS = market.bars(300).assign(float_shares=np.nan)
FEATURES = compute(market.panel(BARS), market.membership(BARS))


def test_every_feature_has_a_line():
    table = dictionary.rows()
    assert list(table["name"]) == [p.name for p in PRODUCERS]
    assert (table[["text", "source", "family"]] != "").all().all()
    assert table["missing"].isna().all()
    assert (
        (table["windows"] != "") | (table["bases"] != "") | (table["lookback"] == 1)
    ).mean() > 0.9
    momentum = table.set_index("name").loc["mom_12_1"]
    assert (momentum["windows"], momentum["lookback"]) == ("window 252, skip 21", 252)
    assert momentum["text"].startswith("Total return from t - window")
    assert "Jegadeesh & Titman (1993)" in momentum["source"]
    assert table.set_index("name").loc["mom_x_ivol", "bases"] == "mom_12_1, resid_vol_252d"


def test_the_share_of_missing_values_is_that_of_the_table():
    table = dictionary.rows(FEATURES).set_index("name")
    assert table.loc["turnover_21d", "missing"] == 1.0
    assert table.loc["mom_12_1", "missing"] == FEATURES["mom_12_1"].isna().mean()


def test_the_page_has_a_row_for_every_feature_and_says_what_is_missing():
    page = dictionary.markdown(FEATURES, "us")
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(lines) == len(PRODUCERS)
    assert all(line.count(" | ") == 5 for line in lines)
    assert "| 100.0% |" in next(line for line in lines if "`turnover_21d`" in line)
    assert page.startswith("# Features (us)") and "## momentum" in page


def test_no_rows_have_no_share():
    assert "| - |" in dictionary.markdown(FEATURES.iloc[:0], "cn")
