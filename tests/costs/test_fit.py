from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.costs.fit import METHODS, fit, walk_forward

L1 = np.array([30.0, 15.0, 6.0])  # bp
L2 = np.array([0.5, 0.25, 0.1])
VOL = np.array([-4.0, 0.0, 4.0])  # bp, by volatility bucket
DAY0 = np.datetime64("2020-01-01")


def an_order_book(seed, n=2000, days=60, l1=L1, l2=L2, noise=60.0, shock=15.0):
    """Orders of known lambdas; those of one session share a shock of `shock` bp."""
    g = np.random.default_rng(seed)
    day, bucket, vol = g.integers(0, days, n), g.integers(0, len(l1), n), g.integers(0, 3, n)
    size = g.lognormal(np.log(2e-3), 0.8, n)
    cost = l1[bucket] + 1e4 * l2[bucket] * size + VOL[vol] - VOL[vol].mean()
    noise = noise * g.standard_normal(n) + shock * g.standard_normal(days)[day]
    return pd.DataFrame(
        {
            "date": DAY0 + day,
            "size": size,
            "shortfall_bp": cost + noise,
            "bucket": bucket,
            "vol_bucket": vol,
        }
    )


def assert_same(a, b):
    for field in fields(a):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))


def terms(orders, n):
    """The regressors of the model, written out: intercepts, slopes, centred volatility."""
    of = orders["bucket"].to_numpy()[:, None] == np.arange(n)
    control = orders["vol_bucket"].to_numpy()[:, None] == np.array([1, 2])
    size = 1e4 * orders["size"].to_numpy()[:, None]
    return np.hstack([of, of * size, control - control.mean(axis=0)])


@pytest.mark.parametrize("method", METHODS)
def test_orders_without_noise_give_the_lambdas_back(method):
    found = fit(an_order_book(1, noise=0.0, shock=0.0), 3, method, winsor=(0, 1))
    np.testing.assert_allclose(found.raw1_bp, L1, rtol=1e-6)
    np.testing.assert_allclose(found.raw2, L2, rtol=1e-6)
    np.testing.assert_allclose(found.lambda1_bp, L1, rtol=1e-6)
    np.testing.assert_allclose(found.lambda2, L2, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_lambdas_are_found_under_noise_with_a_shock_common_to_the_session(method):
    found = fit(an_order_book(7, n=40_000, days=500), 3, method, winsor=(0, 1))
    np.testing.assert_allclose(found.lambda1_bp, L1, atol=4.0)
    np.testing.assert_allclose(found.lambda2, L2, atol=0.08)
    assert (np.abs(found.raw1_bp - L1) < 4.0 * found.se1_bp).all()
    assert (np.abs(found.raw2 - L2) < 4.0 * found.se2).all()


@pytest.fixture(scope="module", params=METHODS)
def hundred(request):
    """Fits to a hundred independent samples of the same market."""
    return [fit(an_order_book(seed), 3, request.param) for seed in range(100)]


def test_intervals_of_95_percent_cover_the_truth(hundred):
    held = []
    for found in hundred:
        low1, high1, low2, high2 = found.interval(0.95)
        held += [(low1 <= L1) & (L1 <= high1), (low2 <= L2) & (L2 <= high2)]
    assert 0.90 <= np.mean(held) <= 0.98


@pytest.mark.parametrize(("raw", "se"), [("raw1_bp", "se1_bp"), ("raw2", "se2")])
def test_standard_errors_are_the_spread_over_independent_samples(hundred, raw, se):
    spread = np.std([getattr(found, raw) for found in hundred], axis=0)
    ratio = np.mean([getattr(found, se) for found in hundred], axis=0) / spread
    assert ((ratio > 0.8) & (ratio < 1.2)).all()


def test_ignoring_the_session_would_claim_too_much():
    book = an_order_book(3, shock=60.0)
    alone = book.assign(date=DAY0 + np.arange(len(book)))
    assert (fit(book, 3).se1_bp > 1.5 * fit(alone, 3).se1_bp).all()


def test_winsorising_a_long_tail_of_sizes_lowers_lambda2_and_is_said():
    # the recipe of the specification; a change of it should be noticed here
    book = an_order_book(0, n=200_000, days=2000)
    low, plain = fit(book, 3), fit(book, 3, winsor=(0, 1))
    assert (np.abs(plain.raw2 - L2) < 3.0 * plain.se2).all()
    assert 0.85 < low.raw2[0] / L2[0] < 0.98 and L2[0] - low.raw2[0] > 2.0 * low.se2[0]


def test_standard_errors_are_those_of_liang_and_zeger_term_by_term():
    book = an_order_book(4, n=600, days=25)
    x, y = terms(book, 3), book["shortfall_bp"].to_numpy()
    inverse = np.linalg.inv(x.T @ x)
    error = y - x @ inverse @ x.T @ y
    middle, sessions = np.zeros(inverse.shape), book["date"].unique()
    for day in sessions:
        own = (book["date"] == day).to_numpy()
        score = x[own].T @ error[own]
        middle += np.outer(score, score)
    g = len(sessions)
    se = np.sqrt(np.diag(g / (g - 1) * inverse @ middle @ inverse))
    found = fit(book, 3, winsor=(0, 1), min_orders=20)
    np.testing.assert_allclose(found.se1_bp, se[:3], rtol=1e-8)
    np.testing.assert_allclose(found.se2, se[3:6], rtol=1e-8)


def test_estimates_and_errors_agree_with_statsmodels():
    api = pytest.importorskip("statsmodels.api")
    book = an_order_book(5, n=900, days=40)
    groups = pd.factorize(book["date"])[0]
    reference = api.OLS(book["shortfall_bp"].to_numpy(), terms(book, 3)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    found = fit(book, 3, winsor=(0, 1), min_orders=20)
    np.testing.assert_allclose(np.r_[found.raw1_bp, found.raw2], reference.params[:6], rtol=1e-8)
    se = reference.bse[:6] * np.sqrt(40 / 39)
    np.testing.assert_allclose(np.r_[found.se1_bp, found.se2], se, rtol=1e-8)


def test_the_median_regression_agrees_with_statsmodels():
    api = pytest.importorskip("statsmodels.api")
    book = an_order_book(6, n=1200)
    found = fit(book, 3, "quantile_reg", winsor=(0, 1))
    x, y = terms(book, 3), book["shortfall_bp"].to_numpy()
    reference = api.QuantReg(y, x).fit(q=0.5, max_iter=5000, p_tol=1e-10).params
    own = np.r_[found.raw1_bp, found.raw2]
    np.testing.assert_allclose(own[:3], reference[:3], atol=0.05)
    np.testing.assert_allclose(own[3:], reference[3:6], atol=0.002)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(4))
def test_the_bounded_fit_is_the_optimum_that_cvxpy_finds(method, seed):
    cp = pytest.importorskip("cvxpy")
    book = an_order_book(seed, n=900, l1=np.zeros(3), l2=np.array([0.0, 0.02, 0.1]))
    x, y = terms(book, 3), book["shortfall_bp"].to_numpy()
    beta = cp.Variable(x.shape[1])
    rises = [cp.diff(beta[:3]) <= 0, cp.diff(beta[3:6]) <= 0, beta[:6] >= 0]
    loss = cp.sum_squares(y - x @ beta) if method == METHODS[0] else cp.sum(cp.abs(y - x @ beta))
    best = cp.Problem(cp.Minimize(loss), rises).solve(solver="CLARABEL")
    found = fit(book, 3, method, winsor=(0, 1), min_orders=20)
    own = np.r_[found.lambda1_bp, found.lambda2]
    # the controls are free: at the best of them the loss may be no more than the optimum
    error = y - x[:, :6] @ own
    control = x[:, 6:]
    if method == METHODS[0]:
        error -= control @ np.linalg.lstsq(control, error, rcond=None)[0]
        assert (error**2).sum() <= best * (1 + 1e-6)
    else:
        free = cp.Variable(2)
        least = cp.Problem(cp.Minimize(cp.sum(cp.abs(error - control @ free))))
        assert least.solve(solver="CLARABEL") <= best * (1 + 1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(25))
def test_pure_noise_gives_costs_that_are_not_negative_and_fall_with_liquidity(method, seed):
    six = np.zeros(6)
    found = fit(an_order_book(seed, 1500, l1=six, l2=six), 6, method)
    for value in (found.lambda1_bp, found.lambda2):
        assert (value >= 0.0).all() and (np.diff(value) <= 0.0).all()
    assert (found.raw1_bp < 0.0).any() or (found.raw2 < 0.0).any()


@pytest.mark.parametrize("method", METHODS)
def test_an_estimate_that_obeys_is_left_as_it_is(method):
    found = fit(an_order_book(9, n=20_000, shock=0.0, noise=20.0), 3, method)
    np.testing.assert_allclose(found.lambda1_bp, found.raw1_bp, rtol=1e-6)
    np.testing.assert_allclose(found.lambda2, found.raw2, rtol=1e-6)


def counted(counts):
    """Orders with so many in each bucket."""
    book = an_order_book(2, n=sum(counts))
    return book.assign(bucket=np.repeat(np.arange(len(counts)), counts))


@pytest.mark.parametrize(
    ("counts", "pool"),
    [
        ((300, 300, 300), [0, 1, 2]),
        ((200, 199, 1, 200), [0, 1, 1, 3]),
        ((10, 10, 300, 250), [0, 0, 0, 3]),
        ((300, 300, 10), [0, 1, 1]),
        ((300, 0, 0), [0, 0, 0]),
        ((0, 0, 300), [0, 0, 0]),
        ((50, 50, 50, 50), [0, 0, 0, 0]),
    ],
)
def test_thin_buckets_join_the_next_more_liquid_one(counts, pool):
    book = counted(counts)
    found = fit(book, len(counts), min_orders=200)
    assert found.pool.tolist() == pool and found.orders.tolist() == list(counts)
    # the same fit with the pools as buckets from the start
    number = np.unique(pool, return_inverse=True)[1]
    together = fit(book.assign(bucket=number[book["bucket"]]), number.max() + 1)
    np.testing.assert_array_equal(found.raw1_bp, together.raw1_bp[number])
    np.testing.assert_array_equal(found.lambda2, together.lambda2[number])
    for first in set(pool):
        own = np.flatnonzero(found.pool == first)
        sizes = book["size"][found.pool[book["bucket"]] == first]
        assert (found.size_low[own] == np.quantile(sizes, 0.05)).all()
        assert (found.size_high[own] == np.quantile(sizes, 0.95)).all()


def test_winsorising_tames_one_outlier():
    book = an_order_book(10)
    wild = book.copy()
    wild.loc[int(book["size"].argmax()), "shortfall_bp"] = 1e7
    moved = np.abs(fit(wild, 3).raw2 - fit(book, 3).raw2)
    bare = np.abs(fit(wild, 3, winsor=(0, 1)).raw2 - fit(book, 3, winsor=(0, 1)).raw2)
    assert moved.max() < 0.05 and bare.max() > 1.0


def test_each_pool_is_winsorised_by_its_own_quantiles():
    # without controls the pools have nothing in common
    book = an_order_book(11).assign(vol_bucket=0)
    wide = np.where(book["bucket"] == 0, 100.0, 1.0)
    found = fit(book.assign(shortfall_bp=book["shortfall_bp"] * wide), 3)
    np.testing.assert_allclose(found.raw1_bp[1:], fit(book, 3).raw1_bp[1:], rtol=1e-9)
    np.testing.assert_allclose(found.raw2[1:], fit(book, 3).raw2[1:], rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_twice_the_shortfall_is_twice_the_cost(method):
    book = an_order_book(12)
    one, two = (fit(book.assign(shortfall_bp=k * book["shortfall_bp"]), 3, method) for k in (1, 2))
    for name in ("lambda1_bp", "lambda2", "raw1_bp", "raw2", "se1_bp", "se2"):
        np.testing.assert_allclose(getattr(two, name), 2.0 * getattr(one, name), rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_lambda1_is_that_of_the_average_volatility(method):
    # bucket 2 holds the calm names, yet the level of volatility is not its lambda
    book = an_order_book(13, n=6000, noise=1.0, shock=0.0)
    shock = np.array([-40.0, 0.0, 40.0])[book["vol_bucket"]]
    book["shortfall_bp"] += shock - shock.mean()
    book = book[(book["bucket"] < 2) | (book["vol_bucket"] < 2)]
    average = shock[book.index].mean() - shock.mean()
    found = fit(book, 3, method, winsor=(0, 1))
    level = average + VOL[book["vol_bucket"]].mean()
    np.testing.assert_allclose(found.raw1_bp, L1 + level, atol=0.5)


def test_intervals_are_students_with_one_degree_less_than_sessions():
    book = an_order_book(14, n=400, days=5)
    found = fit(book, 3, min_orders=20)
    low1, high1, low2, high2 = found.interval(0.95)
    # t at 97.5 % with 4 degrees of freedom, from the table
    np.testing.assert_allclose((high1 - low1) / 2, 2.776445 * found.se1_bp, rtol=1e-6)
    np.testing.assert_allclose((high2 + low2) / 2, found.raw2, rtol=1e-12)
    np.testing.assert_allclose((high2 - low2) / 2, 2.776445 * found.se2, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_pool_of_one_session_has_no_standard_error(method):
    book = an_order_book(15)
    book.loc[book["bucket"] == 1, "date"] = DAY0
    found = fit(book, 3, method)
    assert np.isnan(found.se1_bp).tolist() == np.isnan(found.se2).tolist() == [False, True, False]
    assert np.isnan(found.interval(0.9)[0]).tolist() == [False, True, False]


ASOF = DAY0 + np.array([5, 20, 40])


@pytest.mark.parametrize("method", METHODS)
def test_orders_on_the_date_or_after_it_change_nothing(method):
    book = an_order_book(16)
    fits = list(walk_forward(book, ASOF, 3, method, min_orders=100))
    assert [asof for asof, _ in fits] == list(ASOF)
    for asof, found in fits:
        late = book["date"] >= asof
        corrupt = book.copy()
        corrupt.loc[late, ["size", "shortfall_bp"]] = [0.5, -1e6]
        for other in (book[~late], corrupt):
            ((again, same),) = walk_forward(other, [asof], 3, method, min_orders=100)
            assert again == asof
            assert_same(found, same)
        assert_same(found, fit(book[book["date"] < asof], 3, method, min_orders=100))


def test_a_date_with_too_few_orders_before_it_is_passed_over():
    book = an_order_book(17, n=1200, days=60)
    before = [int((book["date"] < asof).sum()) for asof in ASOF]
    assert before[0] < 200 <= before[1]
    assert [asof for asof, _ in walk_forward(book, ASOF, 3)] == list(ASOF[1:])
    few = [asof for asof, _ in walk_forward(book, ASOF, 3, min_orders=before[0])]
    assert few == list(ASOF)
    assert list(walk_forward(book, [DAY0], 3)) == []


@pytest.mark.parametrize("winsor", [(0.01, 0.99), (0.0, 1.0)])
def test_the_winsor_asked_for_is_the_one_of_every_date(winsor):
    book = an_order_book(19)
    ((_, found),) = walk_forward(book, ASOF[2:], 3, winsor=winsor)
    assert_same(found, fit(book[book["date"] < ASOF[2]], 3, winsor=winsor))


def spoilt(column, value):
    book = an_order_book(18, n=300)
    book[column] = book[column].astype(object if column == "date" else float)
    book.loc[3, column] = value
    return book


@pytest.mark.parametrize(
    ("book", "arguments", "says"),
    [
        (an_order_book(18, n=150), {}, "150 orders are too few for a fit of costs; 200"),
        (an_order_book(18, n=300), {"method": "ridge"}, "fit_method='ridge' is not known; choose"),
        (spoilt("shortfall_bp", np.nan), {}, "order 3 has no shortfall_bp; drop it"),
        (spoilt("size", np.inf), {}, "order 3 has no size; drop it"),
        (spoilt("date", pd.NaT), {}, "order 3 has no date; drop it"),
        (spoilt("bucket", 3), {}, "an order is of bucket 3, but the 3 are 0 to 2"),
        (spoilt("bucket", -1), {}, "an order is of bucket -1, but the 3 are 0 to 2"),
        (spoilt("bucket", 1.5), {}, "an order is of bucket 1.5, but the 3 are 0 to 2"),
        (spoilt("vol_bucket", 3), {}, "an order is of vol_bucket 3, but the 3 are 0 to 2"),
    ],
)
def test_bad_orders_are_refused_with_the_value_and_the_rule(book, arguments, says):
    with pytest.raises(DataError, match=says):
        fit(book, 3, **arguments)
