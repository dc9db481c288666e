"""Dynamic correlations against published numbers, an independent likelihood, and their laws."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from arch import arch_model

from quant.core.errors import DataError
from quant.model1 import dcc, garch
from tests.shared import need

WEEKS = np.arange(0, 5000, 5)


def case(name: str) -> dict:
    return json.loads(need(f"cases/{name}.json").read_text())


def simulated(a: float, b: float, n: int, k: int = 3, rho: float = 0.4, seed: int = 0):
    """Standardised residuals of a DCC(1,1) with equal correlations rho."""
    rng = np.random.default_rng(seed)
    qbar = np.full((k, k), rho) + (1 - rho) * np.eye(k)
    q, z = qbar.copy(), np.empty((n, k))
    for t in range(n):
        d = np.sqrt(np.diag(q))
        z[t] = np.linalg.cholesky(q / np.outer(d, d)) @ rng.normal(size=k)
        q = (1 - a - b) * qbar + a * np.outer(z[t], z[t]) + b * q
    return z


def market(
    n: int = 420, k: int = 4, seed: int = 0, jump: int | None = None, weights=(0.3, 0.95)
) -> np.ndarray:
    """Daily returns with one common factor, whose weight changes at `jump`."""
    rng = np.random.default_rng(seed)
    weight = np.where(np.arange(n) < (n if jump is None else jump), *weights)[:, None]
    common, own = rng.normal(size=(n, 1)), rng.normal(size=(n, k))
    return 0.01 * (weight * common + np.sqrt(1 - weight**2) * own)


def log_density(z: np.ndarray, r: np.ndarray) -> float:
    """Normal log-likelihood of the residuals beyond that of independent ones."""
    total = 0.0
    for row, matrix in zip(z, r, strict=True):
        quadratic = row @ np.linalg.inv(matrix) @ row
        total -= 0.5 * (np.log(np.linalg.det(matrix)) + quadratic - row @ row)
    return total


def test_the_recursion_is_the_published_one():
    given = case("04_dcc_filter")["inputs"]
    z = pd.read_csv(need("cases/04_dcc_filter_z.csv")).to_numpy(float)
    told = pd.read_csv(need("cases/04_dcc_filter_expected.csv"))
    r = dcc.recursion(z, given["a"], given["b"], np.array(given["Qbar"]))
    for name, (i, j) in {"r_ab": (0, 1), "r_ac": (0, 2), "r_bc": (1, 2)}.items():
        np.testing.assert_allclose(r[:, i, j], told[name], rtol=0, atol=1e-12)
    upper = r[:, *np.triu_indices(3, 1)]
    np.testing.assert_allclose(upper.mean(axis=1), told["mean_corr"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.eigvalsh(r)[:, -1], told["eig1"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("a, b", [(0.1, 0.9), (0.2, 0.9), (-0.01, 0.9), (0.05, -0.1)])
def test_correlations_that_do_not_revert_are_refused(a, b):
    with pytest.raises(DataError, match=r"a \+ b is below 1"):
        dcc.recursion(np.zeros((3, 2)), a, b, np.eye(2))


def test_correlations_have_unit_diagonals_and_no_negative_eigenvalue():
    z = simulated(0.1, 0.85, 400, k=5)
    r = dcc.recursion(z, 0.1, 0.85, dcc.target(z))
    np.testing.assert_allclose(np.diagonal(r, axis1=1, axis2=2), 1, rtol=0, atol=1e-14)
    np.testing.assert_allclose(r, r.transpose(0, 2, 1), rtol=0, atol=1e-15)
    assert np.linalg.eigvalsh(r).min() > 0
    np.testing.assert_allclose(r[0], dcc.target(z), rtol=0, atol=1e-15)


def test_a_day_moves_the_correlations_of_the_next_and_not_its_own():
    z = simulated(0.05, 0.9, 60)
    one = dcc.recursion(z, 0.05, 0.9, np.eye(3))
    z[30] += 3
    other = dcc.recursion(z, 0.05, 0.9, np.eye(3))
    np.testing.assert_array_equal(one[:31], other[:31])
    assert np.abs(one[31] - other[31]).max() > 1e-3


def test_the_likelihood_is_that_of_the_normal_distribution():
    z = simulated(0.08, 0.88, 120, k=6)
    qbar = dcc.target(z)
    for a, b in ((0.08, 0.88), (0.0, 0.5), (0.3, 0.6)):
        told = log_density(z, dcc.recursion(z, a, b, qbar))
        assert dcc.loglik(z, a, b, qbar) == pytest.approx(told, rel=1e-11, abs=1e-9)


def test_the_target_is_the_correlation_about_zero():
    z = simulated(0.05, 0.9, 200) * np.array([1.0, 3.0, 0.2])
    made, second = dcc.target(z), z.T @ z
    np.testing.assert_allclose(made[0, 1], second[0, 1] / math.sqrt(second[0, 0] * second[1, 1]))
    np.testing.assert_array_equal(np.diag(made), 1.0)


def test_both_stages_arrive_where_two_packages_of_r_do():
    given = case("04_dcc_sp500_nasdaq")["expected"]
    table = pd.read_csv(need("cases/04_dcc_sp500_nasdaq_returns.csv"))
    path = pd.read_csv(need("cases/04_dcc_sp500_nasdaq_rmgarch_path.csv"))
    e = table[["sp500", "nasdaq"]].to_numpy(float)
    margins = garch.fit(e, np.full((2, 3), np.nan))
    assert margins.fallbacks == 0
    for row, name in zip(margins.parameters, ("sp500", "nasdaq"), strict=True):
        told = given["rmgarch"]["garch"][name]
        np.testing.assert_allclose(row, list(told.values()), rtol=0.02)
    columns = zip(e.T, margins.parameters, strict=True)
    h = np.stack([garch.variances(x.copy(), *p, np.mean(x**2))[:-1] for x, p in columns], axis=1)
    z = e / np.sqrt(h)
    a, b, value = dcc.fit(z)
    best = given["rmgarch"]
    assert a == pytest.approx(best["a"], abs=0.002) and b == pytest.approx(best["b"], abs=0.004)
    margin = -0.5 * (math.log(2 * math.pi) + np.log(h) + z**2).sum()
    whole = value + margin
    assert whole >= max(best["loglik"], given["ccgarch"]["loglik"]) - 0.5
    r = dcc.recursion(z, a, b, dcc.target(z))
    np.testing.assert_allclose(r[100:, 0, 1], path["rho_sp500_nasdaq"][100:], rtol=0, atol=0.005)


def test_margins_climb_to_the_optimum_of_arch():
    rng = np.random.default_rng(3)
    h, e = 1.0, np.empty(2000)
    for t in range(e.size):
        e[t] = math.sqrt(h) * rng.normal()
        h = 0.05 + 0.08 * e[t] ** 2 + 0.87 * h
    level = float((e**2).mean())
    model = arch_model(e, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
    told = model.fit(disp="off", backcast=level)
    for start in ((0.2, 0.2, 0.6), (0.02, 0.05, 0.93)):
        made = garch.fit_from(e, np.array(start))
        np.testing.assert_allclose(made, told.params, rtol=0.05, atol=0.01)
    h0 = garch.variances(e, *made, level)
    deviance = np.log(h0[:-1]) + e**2 / h0[:-1]
    assert -0.5 * (deviance + math.log(2 * math.pi)).sum() >= told.loglikelihood - 0.2


def test_what_a_simulation_was_made_with_is_found():
    for a, b in ((0.05, 0.90), (0.12, 0.80)):
        z = simulated(a, b, 4000, k=4, seed=5)
        found = dcc.fit(z)
        assert found[0] == pytest.approx(a, abs=0.02) and found[1] == pytest.approx(b, abs=0.05)


def test_no_point_of_a_grid_is_better_than_the_fit():
    # of the last two a climb from a = 0 alone ends on a lower hill
    for k, seed in ((8, 0), (8, 1), (3, 35), (6, 34)):
        z = simulated(0.04, 0.9, 252, k=k, seed=seed)
        qbar, best = dcc.target(z), dcc.fit(z)[2]
        for a in (0.0, 0.01, 0.03, 0.06, 0.1, 0.2):
            for b in (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98):
                if a + b < 0.999:
                    assert dcc.loglik(z, a, b, qbar) <= best + 0.05


def test_it_walks_from_the_first_whole_window_on():
    made = dcc.walk(market(), WEEKS[:84])
    first = 255  # the first refit with 252 rows behind it
    assert np.isnan(made.mean_corr[:first]).all() and np.isfinite(made.mean_corr[first:]).all()
    assert np.isnan(made.eig1[:first]).all() and (made.eig1[first:] >= 1 / 4 - 1e-12).all()
    assert np.isfinite(made.a).sum() == made.counts["dcc_refits"] == (WEEKS[:84] >= first).sum()
    known = np.isfinite(made.a)
    assert (made.a[known] >= 0).all() and (made.b[known] >= 0).all()
    assert (made.a[known] + made.b[known] < 1).all()


def test_between_refits_the_filter_runs_on_with_the_parameters_it_has():
    returns, row, window = 0.01 * simulated(0.15, 0.8, 300, k=4, seed=1), 260, 252
    made = dcc.walk(returns, np.array([row]), window)
    past = returns[row + 1 - window : row + 1]
    e = 100 * (returns[row + 1 - window :] - past.mean(axis=0))
    found = garch.fit(np.ascontiguousarray(e[:window]), np.full((4, 3), np.nan)).parameters
    z = np.empty(e.shape)
    for s in range(4):
        h = np.mean(e[:window, s] ** 2)
        for t in range(len(e)):
            z[t, s] = e[t, s] / math.sqrt(h)
            h = found[s, 0] + found[s, 1] * e[t, s] ** 2 + found[s, 2] * h
    qbar = dcc.target(z[:window])
    r = dcc.recursion(np.vstack([z, z[-1:]]), made.a[0], made.b[0], qbar)[window:]  # t + 1 given t
    upper = r[:, *np.triu_indices(4, 1)].mean(axis=1)
    assert made.a[0] > 0.05 and np.ptp(upper) > 0.1  # else nothing was filtered
    np.testing.assert_allclose(made.mean_corr[row:], upper, rtol=0, atol=1e-4)
    first = np.linalg.eigvalsh(r)[:, -1] / 4
    np.testing.assert_allclose(made.eig1[row:], first, rtol=0, atol=1e-4)


@pytest.mark.parametrize("cut", [255, 263, 300, 331])
def test_what_comes_later_changes_no_row_before(cut):
    returns = 0.01 * simulated(0.1, 0.85, 360, k=4, seed=1)
    returns[:80, 3] = np.nan
    refits = np.array([255, 262, 300, 331, 345])
    whole = dcc.walk(returns, refits)
    garbage = np.random.default_rng(cut).normal(0, 0.2, returns[cut + 1 :].shape)
    garbage[:, 0] = np.nan
    for later in (garbage, -returns[cut + 1 :]):
        other = dcc.walk(np.vstack([returns[: cut + 1], later]), refits)
        np.testing.assert_array_equal(whole.mean_corr[: cut + 1], other.mean_corr[: cut + 1])
        np.testing.assert_array_equal(whole.eig1[: cut + 1], other.eig1[: cut + 1])
    short = dcc.walk(returns[: cut + 1], refits[refits <= cut])
    np.testing.assert_array_equal(whole.mean_corr[: cut + 1], short.mean_corr)


def test_a_series_joins_when_its_window_is_full_and_two_are_too_few():
    returns = market(600, seed=2)
    returns[:200, 3] = np.nan
    made = dcc.walk(returns, np.array([300, 590]))
    alone = dcc.walk(returns[:, :3], np.array([300]))
    np.testing.assert_array_equal(made.mean_corr[300:590], alone.mean_corr[300:590])
    assert np.isnan(dcc.walk(returns[:, :2], np.array([300])).mean_corr).all()
    assert not np.array_equal(made.mean_corr[590:], alone.mean_corr[590:])


def test_a_series_takes_no_part_before_it_was_seen():
    returns = market(420, seed=2)
    seen = np.ones(returns.shape, dtype=bool)
    seen[:350, 3] = False
    made = dcc.walk(returns, np.array([300, 400]), 252, seen)
    alone = dcc.walk(returns[:, :3], np.array([300]))
    np.testing.assert_array_equal(made.mean_corr[300:400], alone.mean_corr[300:400])
    assert not np.array_equal(made.mean_corr[400:], alone.mean_corr[400:])


def test_a_missing_return_is_no_news():
    returns = 0.01 * simulated(0.1, 0.85, 300, k=4, seed=3)
    holed, still = returns.copy(), returns.copy()
    holed[[270, 271, 290], 1] = np.nan
    # after the last refit a residual of 0 is a return that equals the window's mean
    still[[270, 271, 290], 1] = returns[9:261, 1].mean()
    made, told = (dcc.walk(x, np.array([260])) for x in (holed, still))
    np.testing.assert_allclose(made.mean_corr[260:], told.mean_corr[260:], rtol=0, atol=1e-12)
    inside = dcc.walk(holed, np.array([260, 295]))
    assert np.isfinite(inside.mean_corr[260:]).all()


def test_a_series_that_stands_still_falls_back_and_breaks_nothing():
    returns = market(300, seed=4)
    returns[:, 2] = 0.0
    made = dcc.walk(returns, WEEKS[:60])
    assert np.isfinite(made.mean_corr[255:]).all() and np.isfinite(made.eig1[255:]).all()
    assert made.counts["dcc_fallbacks"] >= made.counts["dcc_refits"] > 0


def test_without_an_optimum_the_parameters_before_stay():
    still = np.zeros((252, 1))
    before = np.array([[0.05, 0.08, 0.9]])
    np.testing.assert_array_equal(garch.fit(still, before).parameters, before)
    made = garch.fit(still, np.full((1, 3), np.nan))
    np.testing.assert_allclose(made.parameters, [[0.0, 0.06, 0.94]])
    assert made.fallbacks == 1


@pytest.mark.parametrize("before, after", [(0.3, 0.95), (0.95, 0.3)])
def test_a_market_that_begins_to_move_as_one_is_systemic(before, after):
    returns = market(720, k=5, seed=5, jump=620, weights=(before, after))
    made = dcc.walk(returns, np.arange(255, 720, 20))
    risk = dcc.systemic(made.mean_corr, made.eig1)
    change = np.nanmean(made.mean_corr[660:]) - np.nanmean(made.mean_corr[520:620])
    if after > before:
        assert change > 0.2 and (risk.p[660:] >= 0.5).all()
    else:
        assert change < -0.2 and (risk.p[660:] < 0.5).all()


def test_ranks_are_shares_of_the_past_that_do_not_exceed_today():
    x = np.array([3.0, 1.0, 2.0, 2.0, 5.0, np.nan, 0.0, 4.0])
    made = dcc.systemic(x, np.full(x.size, np.nan), window=5, least=3)
    told = [np.nan, np.nan, 2 / 3, 3 / 4, 1, np.nan, 1 / 4, 3 / 4]
    np.testing.assert_allclose(made.rank_corr, told)
    assert np.isnan(made.rank_eig1).all()


@pytest.mark.parametrize("at", [(0.8, 0.8), (0.9, 0.7)])
def test_half_is_reached_just_where_a_rank_reaches_its_threshold(at):
    rng = np.random.default_rng(6)
    x, y = np.cumsum(rng.normal(size=(2, 3000)), axis=1)
    made = dcc.systemic(x, y, at)
    over = (made.rank_corr >= at[0]) | (made.rank_eig1 >= at[1])
    np.testing.assert_array_equal(made.p >= 0.5, over)
    assert 0 < over.sum() < over.size
    assert np.isnan(made.rank_corr[:251]).all() and np.isfinite(made.rank_corr[251:]).all()
    # before there is a past: as if in its middle
    np.testing.assert_allclose(made.p[:251], 1 / (1 + math.exp(20 * (min(at) - 0.5))))


def test_a_rank_equal_to_the_threshold_counts():
    x = np.array([1.0, 2.0, 3.0, 5.0, 4.0])
    made = dcc.systemic(x, np.zeros(5) + np.nan, window=5, least=5)
    assert made.rank_corr[4] == 0.8 and made.p[4] == 0.5
    late = dcc.systemic(x, x, window=5, least=5)
    assert late.p[3] < 0.01  # no rank yet


@pytest.mark.parametrize("cut", [300, 900])
def test_ranks_do_not_see_what_comes_later(cut):
    x, y = np.cumsum(np.random.default_rng(7).normal(size=(2, 1500)), axis=1)
    whole, short = dcc.systemic(x, y), dcc.systemic(x[:cut], y[:cut])
    np.testing.assert_array_equal(whole.p[:cut], short.p)
    np.testing.assert_array_equal(whole.rank_eig1[:cut], short.rank_eig1)
