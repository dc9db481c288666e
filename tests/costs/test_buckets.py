import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.costs.buckets import liquidity, median_adv, volatility_bucket

EDGES = (0, 5, 10, 25, 50, 75, 100)
CUT = 40


def a_market(seed, n_days=60, n_assets=80):
    g = np.random.default_rng(seed)
    amount = g.lognormal(12.0, 2.0, (n_days, n_assets))
    amount[g.random(amount.shape) < 0.1] = np.nan
    return amount, g.random(amount.shape) < 0.7


def test_a_hundred_names_fall_into_the_buckets_of_the_edges():
    adv = np.arange(1.0, 101.0)[None, :]
    bucket = liquidity(adv, np.ones(adv.shape, bool), EDGES)
    assert np.bincount(bucket[0]).tolist() == [5, 5, 15, 25, 25, 25]
    assert (np.diff(bucket[0]) >= 0).all() and bucket.dtype == np.int8


def test_a_bucket_holds_its_lower_edge_and_not_its_upper():
    # shares of members with less: 0, 25, 50, 75 %
    adv = np.array([[40.0, 10.0, 30.0, 20.0]])
    assert liquidity(adv, adv > 0, EDGES).tolist() == [[5, 0, 4, 3]]
    assert liquidity(adv, adv > 0, (0, 25.1, 100)).tolist() == [[1, 0, 1, 0]]


def test_equal_adv_is_an_equal_bucket():
    # half of the members trade 1, half trade 2: 0 % and 50 % have less
    adv = np.array([[1.0, 2.0, 1.0, 2.0]])
    assert liquidity(adv, adv > 0, EDGES).tolist() == [[0, 4, 0, 4]]


def test_a_name_outside_the_universe_is_placed_among_its_members_and_moves_none():
    adv = np.array([[10.0, 20.0, 30.0, 40.0, 25.0, 1e9, 1.0]])
    member = np.array([[True] * 4 + [False] * 3])
    bucket = liquidity(adv, member, EDGES)
    assert bucket[0, :4].tolist() == [0, 3, 4, 5]
    # less than 25: two of four members; than 1e9: all of them; than 1: none
    assert bucket[0, 4:].tolist() == [4, 5, 0]


def test_unknown_adv_and_a_day_without_members_are_the_least_liquid():
    adv = np.array([[np.nan, 0.0, 5.0, 6.0], [1.0, 2.0, 3.0, 4.0]])
    member = np.array([[True] * 4, [False] * 4])
    assert liquidity(adv, member, EDGES).tolist() == [[0, 0, 4, 5], [0, 0, 0, 0]]


@pytest.mark.parametrize("seed", range(20))
def test_bucket_is_the_share_of_members_with_less_counted_one_by_one(seed):
    amount, member = a_market(seed, n_days=4, n_assets=40)
    bucket = liquidity(amount, member, EDGES)
    for t, i in np.ndindex(*amount.shape):
        own = np.nan_to_num(amount[t])
        share = 100.0 * sum(own[j] < own[i] for j in np.flatnonzero(member[t])) / member[t].sum()
        expected = max(k for k in range(6) if EDGES[k] <= share or k == 0)
        assert bucket[t, i] == (expected if own[i] > 0 else 0)


def test_only_the_order_of_adv_matters():
    amount, member = a_market(1)
    same = liquidity(amount**3 * 7.0, member, EDGES)
    np.testing.assert_array_equal(same, liquidity(amount, member, EDGES))


def test_median_is_that_of_the_last_sessions_without_the_missing():
    amount = np.array([[np.nan, 4.0], [2.0, np.nan], [8.0, 6.0], [np.nan, 1.0], [np.nan, np.nan]])
    expected = [[0.0, 4.0], [2.0, 4.0], [5.0, 5.0], [5.0, 3.5], [8.0, 3.5]]
    np.testing.assert_array_equal(median_adv(amount, window=3), expected)


def test_the_window_is_a_year_of_sessions():
    amount = np.vstack([np.full((1, 1), 1e9), np.ones((252, 1))])
    amount[1:, 0] = np.arange(252)
    assert median_adv(amount)[251, 0] == np.median(amount[:252])
    assert median_adv(amount)[252, 0] == np.median(amount[1:])


def test_a_tercile_of_volatility_holds_a_third_of_the_members():
    sigma = np.linspace(0.01, 0.9, 300)[None, ::-1]
    bucket = volatility_bucket(sigma, sigma > 0)
    np.testing.assert_array_equal(bucket[0], np.repeat([2, 1, 0], 100))
    assert bucket.dtype == np.int8


def of_adv(amount, member):
    return liquidity(median_adv(amount, 20), member, EDGES)


@pytest.mark.parametrize("produce", [of_adv, volatility_bucket])
@pytest.mark.parametrize("seed", range(3))
def test_what_comes_later_changes_nothing(produce, seed):
    amount, member = a_market(seed)
    whole = produce(amount, member)
    np.testing.assert_array_equal(whole[:CUT], produce(amount[:CUT], member[:CUT]))
    other, others = amount.copy(), member.copy()
    other[CUT:] = np.where(np.isnan(other[CUT:]), 1e15, np.nan)
    others[CUT:] = ~others[CUT:]
    corrupted = produce(other, others)
    np.testing.assert_array_equal(whole[:CUT], corrupted[:CUT])
    assert (whole[CUT:] != corrupted[CUT:]).any()


@pytest.mark.parametrize("produce", [lambda a, m: liquidity(a, m, EDGES), volatility_bucket])
def test_one_row_is_decided_by_that_row_alone(produce):
    amount, member = a_market(2)
    row = produce(amount[CUT : CUT + 1], member[CUT : CUT + 1])
    np.testing.assert_array_equal(produce(amount, member)[CUT], row[0])


def test_the_median_does_not_look_ahead_bitwise():
    amount, _ = a_market(5)
    other = amount.copy()
    other[CUT:] = 1e15
    pd.testing.assert_frame_equal(
        pd.DataFrame(median_adv(amount, 20)[:CUT]),
        pd.DataFrame(median_adv(other, 20)[:CUT]),
        check_exact=True,
    )


@pytest.mark.parametrize(
    "edges", [(0, 50, 50, 100), (0, 60, 40, 100), (1, 100), (0, 99), (0, np.nan, 100), (0,), ()]
)
def test_edges_that_do_not_rise_from_0_to_100_are_refused(edges):
    with pytest.raises(DataError, match=r"do not rise from 0 to 100; give percentiles"):
        liquidity(np.ones((1, 3)), np.ones((1, 3), bool), edges)
