"""Clusters of trials: planted ideas are counted; what is not known of a trial keeps it apart."""

import numpy as np
import pandas as pd
import pytest

from quant.core.seeds import generator
from quant.evaluation import clusters, metrics
from quant.evaluation.clusters import Trial, ideas
from quant.settings import Evaluation

DAYS = pd.bdate_range("2015-01-01", periods=750)
MARKET = generator(42, "tests", "clusters", "market").normal(0.0004, 0.01, DAYS.size)
CASH = 0.0001


def trial(name: str, own: np.ndarray, beta: float = 1.0, days=DAYS, market=MARKET) -> Trial:
    """A book with active returns `own` on top of the market."""
    book = CASH + beta * (market - CASH) + own
    returns = pd.DataFrame({"date": days, "book": book, "benchmark": market, "rf": CASH})
    return Trial(name, f"run {name}", metrics.sharpe(book, CASH), len(days), returns)


def noise(*purpose: str, n: int = DAYS.size) -> np.ndarray:
    return generator(42, "tests", "clusters", *purpose).normal(0, 0.004, n)


def planted(n_ideas: int, copies: int, alike: float) -> list[Trial]:
    """Copies of each idea whose active returns correlate by `alike`."""
    return [
        trial(
            f"{i}.{k}",
            np.sqrt(alike) * noise("idea", str(i)) + np.sqrt(1 - alike) * noise(str(i), str(k)),
            beta=0.6 + 0.1 * k,
        )
        for i in range(n_ideas)
        for k in range(copies)
    ]


def test_five_ideas_of_four_near_copies_each_are_five():
    trials = planted(5, 4, 0.8)
    found = ideas(trials, 0.5)
    assert found.n == 5
    label = found.cluster.reshape(5, 4)
    assert (label == label[:, :1]).all() and len(set(label[:, 0])) == 5
    assert set(found.cluster) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(("n_ideas", "copies", "alike"), [
    (20, 1, 0.0), (5, 4, 0.5), (5, 4, 0.7), (1, 20, 0.5), (1, 20, 0.7), (1, 20, 0.9), (3, 10, 0.85),
    (5, 4, 0.99), (1, 20, 0.99),
])  # fmt: skip
def test_the_luck_that_is_deflated_is_that_of_the_best_of_alike_trials(n_ideas, copies, alike):
    """Worthless trials: what the best of them shows, against what the formula expects of it.

    In standard errors of a Sharpe ratio. The bound is four errors of the mean over the draws plus
    0.2, for what is in a formula for independent trials of one kind.
    """
    draws, n = 40, 500
    rng = generator(42, "tests", "clusters", "luck", f"{n_ideas} {copies} {alike}")
    best, expected = np.zeros(draws), np.zeros(draws)
    for draw in range(draws):
        common = rng.normal(0, 0.01, (n, n_ideas, 1))
        alone = rng.normal(0, 0.01, (n, n_ideas, copies))
        own = (np.sqrt(alike) * common + np.sqrt(1 - alike) * alone).reshape(n, -1)
        market = rng.normal(0, 0.01, n)
        trials = [
            Trial(f"{k:02d}", "", float(column.mean() / column.std(ddof=1)), n,
                  pd.DataFrame({"date": DAYS[:n], "book": column, "benchmark": market, "rf": 0.0}))
            for k, column in enumerate(own.T)
        ]  # fmt: skip
        found = ideas(trials, Evaluation().same_idea)
        best[draw] = max(t.sharpe for t in trials) * np.sqrt(n)
        expected[draw] = metrics.expected_max_sharpe(found.n, found.variance) * np.sqrt(n)
    short = best - expected
    assert abs(short.mean()) < 0.2 + 4 * short.std() / np.sqrt(draws)


def test_twenty_independent_trials_are_twenty_though_the_market_moves_them_all():
    trials = planted(20, 1, 0.8)
    books = np.corrcoef([t.returns["book"] for t in trials])
    assert books[np.triu_indices(20, 1)].min() > 0.5
    assert ideas(trials, 0.5).n == 20


def test_identical_returns_are_one_idea():
    same = [trial(str(k), noise("same")) for k in range(7)]
    found = ideas(same, 0.5)
    assert (found.n, found.variance) == (1, 0.0)
    assert ideas(same, 1.0).n == 1


def test_books_that_only_hold_the_market_are_one_idea_apart_from_the_others():
    still = [trial("index", 0 * MARKET), trial("half of it", 0 * MARKET, 0.5)]
    found = ideas([*still, trial("active", noise("active"))], 0.5)
    assert found.cluster.tolist() == [found.cluster[0]] * 2 + [3 - found.cluster[0]]


@pytest.mark.parametrize("step", [1, 7, 11])
def test_the_order_of_recording_is_irrelevant(step):
    trials = planted(5, 4, 0.55)  # at the edge, where ties and chains decide
    order = [(i * step) % 20 for i in range(20)]
    one, two = ideas(trials, 0.5), ideas([trials[i] for i in order], 0.5)
    assert one.cluster[order].tolist() == two.cluster.tolist()
    np.testing.assert_array_equal(one.sharpe, two.sharpe)
    assert one.variance == two.variance


def test_a_chain_of_neighbours_is_not_one_idea():
    """Each correlates by 0.7 with the next, the first and the last hardly."""
    steps = [noise("chain", str(k)) for k in range(12)]
    chain = [trial(f"{k:02d}", sum(steps[k : k + 3])) for k in range(10)]
    near = clusters.correlation(chain)
    assert np.diag(near, 1).min() > 0.55 and near[0, -1] < 0.2
    assert 3 <= ideas(chain, 0.5).n <= 6


def test_the_correlation_is_that_of_active_returns():
    own = [noise("a"), noise("b")]
    pair = [trial("a", own[0], beta=1.3), trial("b", 0.6 * own[0] + 0.8 * own[1], beta=0.4)]
    found = clusters.correlation(pair)
    expected = []
    for t in pair:
        x, y = t.returns["benchmark"] - CASH, t.returns["book"] - CASH
        expected.append(y - np.polyfit(x, y, 1)[0] * x)
    assert found[0, 1] == pytest.approx(np.corrcoef(expected)[0, 1], abs=1e-12)
    assert np.diag(found).tolist() == [1, 1]


def test_trials_without_returns_stand_alone():
    bare = [Trial(f"old {k}", "", 0.1, 500) for k in range(3)]
    found = ideas([*bare, trial("a", noise("a")), trial("b", noise("a"))], 0.0)
    assert found.n == 4
    assert found.sharpe[found.cluster[:3] - 1].tolist() == [0.1] * 3
    assert ideas(bare, 0.5).n == 3


def test_fewer_common_sessions_than_sixty_three_say_nothing():
    own = noise("overlap")
    for common, expected in ((62, 2), (63, 1)):
        early = slice(0, 400 + common)
        late = slice(400, 750)
        one = trial("one", own[early], days=DAYS[early], market=MARKET[early])
        two = trial("two", own[late], days=DAYS[late], market=MARKET[late])
        assert ideas([one, two], 0.5).n == expected


def test_an_idea_speaks_by_the_sharpe_ratio_of_its_members_mean_excess_return():
    trials = planted(3, 2, 0.8)
    found = ideas(trials, 0.5)
    means = [
        np.mean([t.returns["book"] - CASH for t in trials[i : i + 2]], axis=0) for i in (0, 2, 4)
    ]
    expected = [x.mean() / x.std(ddof=1) for x in means]
    np.testing.assert_allclose(found.sharpe[found.cluster[::2] - 1], expected, rtol=1e-12)
    assert found.variance == pytest.approx(np.var(expected, ddof=1), rel=1e-12)


def test_a_single_trial_or_none_has_no_variance():
    one = ideas([trial("a", noise("a"))], 0.5)
    assert (one.n, one.variance, one.cluster.tolist()) == (1, 0.0, [1])
    assert ideas([], 0.5).n == 0


def test_a_higher_bar_makes_no_fewer_ideas():
    trials = planted(4, 5, 0.5)
    counts = [ideas(trials, bar).n for bar in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    assert counts == sorted(counts) and counts[-1] == 20


@pytest.mark.parametrize("years", [1, 4])
def test_the_deflated_ratio_falls_with_the_number_of_trials_and_their_variance(years):
    series = metrics.Shape(0.08, 252 * years)
    by_n = [metrics.dsr(series, n, 0.001) for n in (1, 2, 5, 20, 100)]
    by_v = [metrics.dsr(series, 20, v) for v in (0.0, 0.0005, 0.001, 0.005)]
    for found in (by_n, by_v):
        assert all(a > b for a, b in zip(found, found[1:], strict=False))


def test_a_trial_is_cut_with_its_sharpe_ratio_and_stands_alone_where_nothing_is_left():
    days = pd.bdate_range("2015-01-01", periods=4)
    rows = pd.DataFrame({"date": days, "book": [0.01, 0.03, 0.02, 0.5], "benchmark": 0.0, "rf": 0})
    whole = clusters.Trial("a", "", 9.0, 4, rows)
    cut = clusters.up_to(whole, str(days[2].date()))
    assert (cut.sharpe, cut.n_obs) == (pytest.approx(2.0), 3) and len(cut.returns) == 3
    assert clusters.up_to(whole, str(days[3].date())) is whole
    none = clusters.up_to(whole, "2014-12-31")
    assert np.isnan(none.sharpe) and none.returns is None
    unknown = clusters.Trial("b", "", 9.0, 4)
    assert clusters.up_to(unknown, "2014-12-31") is unknown
    found = clusters.ideas([whole, none, unknown], 0.95)
    assert found.n == 3 and np.isfinite(found.variance)
