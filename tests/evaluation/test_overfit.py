"""PBO by CSCV against the published cases."""

import json
from pathlib import Path

import numpy as np
import pytest

from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.evaluation.overfit import cscv, pbo
from tests.shared import need

SMALL = json.loads((Path(__file__).parents[1] / "answers/sharpe.json").read_text())["pbo_small"]


@pytest.mark.parametrize("name,key", [("A", "A_rank_reversal"), ("B", "B_consistent_winner")])
def test_small_cases_by_hand(name, key):
    returns = np.column_stack(list(SMALL["inputs"][key].values()))
    result = cscv(returns, SMALL["inputs"]["S"], "mean")
    expected = SMALL["expected"][name]
    assert result.pbo == expected["pbo"]
    # the four middle splits of A are exact ties: any of these ranks is right there
    legal = [0.4054651081081644, 0.8472978603872034, 1.3862943611198906]
    for ours, theirs in zip(result.logits, expected["logits_N_plus_1"], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-12) or (
            name == "A" and min(abs(ours - v) for v in legal) < 1e-9
        )


def test_the_shared_case_of_480_periods_and_10_configurations():
    returns = np.loadtxt(need("cases/01_pbo_D_480x10.csv"), delimiter=",", skiprows=1)
    case = json.loads(need("cases/01_pbo_cscv_480x10.json").read_text())["expected"]
    result = cscv(returns, 8)
    assert result.pbo == case["N10"]["pbo"]
    assert (result.best + 1).tolist() == case["N10"]["is_best_1based"]
    assert result.rank.tolist() == case["N10"]["oos_rank"]
    assert np.median(result.logits) == pytest.approx(case["N10"]["median_logit"], abs=1e-12)
    assert result.loss == case["N10"]["prob_oos_loss"]
    assert cscv(returns[:, :9], 8).pbo == case["N9"]["pbo_rank_over_N_plus_1"]


def test_skill_is_not_overfit_and_noise_is():
    rng = generator(42, "tests", "pbo")
    noise = rng.normal(0, 0.01, (960, 20))
    skill = noise.copy()
    skill[:, 3] += 0.005
    assert cscv(skill, 10).pbo == 0.0
    assert set(cscv(skill, 10).best) == {3}
    assert 0.2 < cscv(noise, 10).pbo < 0.95


def test_it_takes_ten_configurations_that_vary_and_ten_periods_a_block():
    noise = generator(42, "tests", "pbo", "few").normal(0, 0.01, (160, 10))
    assert pbo(noise) == cscv(noise).pbo
    assert np.isnan(pbo(noise[:, :9])) and np.isnan(pbo(noise[1:]))
    cash = np.zeros((160, 1))
    assert np.isnan(pbo(np.hstack([noise[:, :9], cash])))
    assert pbo(np.hstack([noise, cash])) == pbo(noise)
    assert np.isnan(pbo(noise[:0])) and np.isnan(pbo(noise[:, :0]))


def test_a_book_in_cash_for_half_of_the_time_is_neither_good_nor_bad_there():
    """Its ratio is 0 on those blocks, above every loser: it wins them all and is never last."""
    losers = generator(42, "tests", "pbo", "cash").normal(-0.01, 0.001, (80, 3))
    late = np.r_[np.zeros(40), losers[40:, 0]]
    found = cscv(np.column_stack([losers, late]), 4)
    assert (found.best == 3).any() and np.isfinite(found.logits).all()
    first = list(found.best)[0]  # chosen on the two blocks in cash
    assert first == 3


def test_faults_are_named():
    returns = generator(42, "tests", "pbo").normal(0, 0.01, (40, 3))
    with pytest.raises(ConfigError, match="n_blocks is 5"):
        cscv(returns, 5)
    with pytest.raises(ConfigError, match="performance 'sortino' is unknown"):
        cscv(returns, 4, "sortino")
    with pytest.raises(DataError, match="at least 16 periods and 2"):
        cscv(returns[:, :1])
    with pytest.raises(DataError, match="do not vary"):
        cscv(np.column_stack([returns, np.zeros(40)]), 4)
    returns[3, 1] = np.nan
    with pytest.raises(DataError, match="missing values"):
        cscv(returns, 4)
