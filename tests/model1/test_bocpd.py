"""Detection of changes against published posteriors, a sum over all partitions, and its laws."""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quant.core.errors import DataError
from quant.model1.bocpd import Prior, monitor, posterior, priors_from
from tests.shared import need

HAZARD = 1 / 90


def case(name: str) -> dict:
    return json.loads(need(f"cases/{name}.json").read_text())


def prior(given: dict) -> Prior:
    return Prior(given["mu0"], given["kappa0"], given["alpha0"], given["beta0"])


def of(p: Prior, j: int) -> Prior:
    """The prior of one series."""
    return Prior(*(float(v[j]) for v in (p.mean, p.kappa, p.alpha, p.beta)))


def regimes(seed: int = 0, n_days: int = 900, n_series: int = 3) -> np.ndarray:
    """Levels and volatilities that change every 150 sessions."""
    rng = np.random.default_rng(seed)
    shape = (n_days // 150, n_series)
    level, spread = rng.normal(0, 2, shape), rng.uniform(0.5, 2, shape)
    return rng.normal(np.repeat(level, 150, axis=0), np.repeat(spread, 150, axis=0))


def test_the_posterior_of_twelve_points_is_the_published_one():
    given = case("06_bocpd_short")
    x, told = np.array(given["inputs"]["x"]), given["expected"]
    own, hazard = prior(given["inputs"]["prior"]), given["inputs"]["hazard"]
    made = posterior(x, hazard, own)
    for t, row in enumerate(told["run_length_posterior"]):
        np.testing.assert_allclose(made[t, : t + 2], row, rtol=0, atol=1e-10)
        assert not made[t, t + 2 :].any()
    seen = monitor(x[:, None], hazard, own)
    np.testing.assert_allclose(seen.p_short[:, 0], told["p_lt5"], rtol=0, atol=1e-10)
    assert seen.run[:, 0].tolist() == told["map_run"]
    assert seen.log_evidence[0] == pytest.approx(told["log_evidence"], abs=1e-10)


def test_the_nile_changes_after_1898():
    given = case("06_bocpd_nile")
    x = pd.read_csv(need("cases/06_nile.csv"))["x"].to_numpy(float)
    told = pd.read_csv(need("cases/06_bocpd_nile_expected.csv"))
    own, hazard = prior(given["inputs"]["prior"]), given["inputs"]["hazard"]
    expected = posterior(x, hazard, own) @ np.arange(x.size + 1)
    np.testing.assert_allclose(expected, told["exp_run"], rtol=0, atol=1e-8)
    for short in (5, 10):
        seen = monitor(x[:, None], hazard, own, short=short)
        np.testing.assert_allclose(seen.p_short[:, 0], told[f"p_lt{short}"], rtol=0, atol=1e-8)
        np.testing.assert_array_equal(seen.run[:, 0], told["map_run"])
    assert seen.log_evidence[0] == pytest.approx(given["expected"]["log_evidence"], abs=1e-8)
    # the run that is most likely at the end began with observation 29, the year 1899
    assert x.size - seen.run[-1, 0] == given["expected"]["ocp_changepoint_observation"] - 1
    year = told["year"].to_numpy()
    first = year[(seen.run[:, 0] < 10) & (year > 1900)][0]
    assert first == given["expected"]["first_year_map_run_below_10_after_1900"]


def log_marginal(x: np.ndarray, p: Prior) -> float:
    """Of one run: its observations are a multivariate t, no recursion."""
    if x.size == 0:
        return 0.0
    shape = p.beta / p.alpha * (np.eye(x.size) + 1 / p.kappa)
    return float(stats.multivariate_t.logpdf(x, np.full(x.size, p.mean), shape, df=2 * p.alpha))


def test_the_posterior_is_the_sum_over_all_partitions():
    p, hazard = Prior(0.3, 0.5, 1.5, 0.8), 0.2
    x = np.array([0.2, -0.5, 0.9, 4.0, 3.1, 3.6, -1.0])
    total = np.zeros(x.size + 1)
    for changes in itertools.product([False, True], repeat=x.size):  # after each observation
        ends = [0, *(t + 1 for t in range(x.size) if changes[t]), x.size]
        logs = sum(log_marginal(x[a:b], p) for a, b in itertools.pairwise(ends))
        k = sum(changes)
        logs += k * math.log(hazard) + (x.size - k) * math.log(1 - hazard)
        total[x.size - max(ends[:-1])] += math.exp(logs)
    made = posterior(x, hazard, p)
    np.testing.assert_allclose(made[-1], total / total.sum(), rtol=0, atol=1e-12)
    evidence = monitor(x[:, None], hazard, p).log_evidence[0]
    assert evidence == pytest.approx(math.log(total.sum()), abs=1e-12)


def test_the_probability_of_run_length_zero_is_the_hazard_whatever_the_data():
    made = posterior(regimes()[:300, 0], HAZARD, Prior(0, 1, 1, 1))
    np.testing.assert_allclose(made[:, 0], HAZARD, rtol=1e-12)
    np.testing.assert_allclose(made.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_pruning_is_not_seen_at_its_default(seed):
    x = regimes(seed)
    own, begin = priors_from(x, 100)
    seen = monitor(x, HAZARD, own, begin)
    assert (seen.dropped > 0).all()  # else nothing was tested
    assert (seen.dropped < 1e-8).all()
    for j in range(x.shape[1]):
        exact = posterior(x[begin[j] :, j], HAZARD, of(own, j))
        young = exact[:, :5].sum(axis=1)
        np.testing.assert_allclose(seen.p_short[begin[j] :, j], young, rtol=0, atol=1e-8)
        np.testing.assert_array_equal(seen.run[begin[j] :, j], exact.argmax(axis=1))


def test_without_pruning_nothing_is_dropped():
    x = regimes(1)
    own, begin = priors_from(x, 100)
    assert not monitor(x, HAZARD, own, begin, prune=0.0).dropped.any()


def test_a_jump_is_young_within_a_few_sessions_and_old_again_later():
    rng = np.random.default_rng(2)
    x = rng.normal(0, 1, (600, 1))
    x[400:] += 6
    own, begin = priors_from(x, 252)
    seen = monitor(x, HAZARD, own, begin)
    assert (seen.p_short[260:400] < 0.7).all()
    assert (seen.p_short[401:404] > 0.7).any()
    assert (seen.p_short[410:] < 0.7).all()
    assert seen.run[-1, 0] == 200


def test_a_series_starts_after_its_own_burn_in():
    x = regimes(3, n_series=4)
    x[:50, 1], x[300:, 2], x[60:70, 3] = np.nan, np.nan, np.nan
    own, begin = priors_from(x, 252)
    assert begin.tolist() == [252, 302, 252, 262]
    np.testing.assert_allclose(own.mean[3], np.nanmean(x[:262, 3]))
    np.testing.assert_allclose(own.beta[3] / own.alpha[3], np.nanvar(x[:262, 3]))
    seen = monitor(x, HAZARD, own, begin)
    for j, start in enumerate(begin):
        assert not seen.p_short[:start, j].any() and not seen.run[:start, j].any()
        assert (seen.p_short[start:, j] > 0).all()
    _, begin = priors_from(x[:252], 253)
    assert begin.tolist() == [252] * 4


def test_a_missing_observation_updates_nothing():
    x = regimes(4, n_series=1)
    gaps = np.insert(x, [300, 300, 500], np.nan, axis=0)
    own, begin = priors_from(x, 100)
    plain, holed = monitor(x, HAZARD, own, begin), monitor(gaps, HAZARD, own, begin)
    there = np.isfinite(gaps[:, 0])
    assert (~there).sum() == 3
    np.testing.assert_array_equal(plain.p_short, holed.p_short[there])
    np.testing.assert_array_equal(plain.run, holed.run[there])
    assert holed.p_short[300, 0] == holed.p_short[301, 0] == holed.p_short[299, 0]
    assert plain.log_evidence == holed.log_evidence


@pytest.mark.parametrize("level", [0.0, -11.5])
def test_a_constant_series_is_one_run(level):
    x = np.full((900, 1), level)
    own, begin = priors_from(x, 252)
    seen = monitor(x, HAZARD, own, begin)
    assert np.isfinite(seen.p_short).all() and (seen.p_short[257:] < 0.7).all()
    assert seen.run[-1, 0] == 900 - 252
    x[800:] += 1
    assert monitor(x, HAZARD, own, begin).p_short[800:806].max() > 0.7


@pytest.mark.parametrize("cut", [120, 252, 400, 700])
def test_what_comes_later_changes_no_row_before(cut):
    x = regimes(6)
    own, begin = priors_from(x, 200)
    whole = monitor(x, HAZARD, own, begin)
    for garbage in (np.nan, 1e30, -7.0):
        other = x.copy()
        other[cut:] = garbage
        seen = monitor(other, HAZARD, *priors_from(other, 200))
        np.testing.assert_array_equal(whole.p_short[:cut], seen.p_short[:cut])
        np.testing.assert_array_equal(whole.run[:cut], seen.run[:cut])
    short = monitor(x[:cut], HAZARD, *priors_from(x[:cut], 200))
    np.testing.assert_array_equal(whole.p_short[:cut], short.p_short)


def test_wrong_settings_are_refused():
    x = regimes(7)
    own, begin = priors_from(x, 100)
    for hazard in (0.0, 1.0, 90.0):
        with pytest.raises(DataError, match=f"hazard is {hazard:g}"):
            monitor(x, hazard, own, begin)
    with pytest.raises(DataError, match="prior kappa is 0"):
        Prior(0.0, 0.0, 1.0, 1.0)
