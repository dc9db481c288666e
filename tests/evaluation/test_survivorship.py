from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant.core.seeds import generator
from quant.evaluation import metrics, survivorship
from quant.evaluation.survivorship import Books, expected, losers, stress, uniform

DAYS, NAMES, PERIODS = 504, 40, 252
NUMBERS = ("ann_return", "active", "sharpe")


def market(seed: int = 1) -> tuple[Books, np.ndarray, np.ndarray]:
    """A book of ten names, 90 % invested, beside an index of forty; past returns; members."""
    rng = generator(seed, "survivorship")
    past, member = rng.normal(0, 0.3, (DAYS, NAMES)), np.ones((DAYS, NAMES), bool)
    held = np.zeros((DAYS, NAMES))
    held[:, :10] = 0.09
    common = rng.normal(5e-4, 0.01, DAYS)
    books = Books(
        book=common + rng.normal(4e-4, 0.004, DAYS),
        benchmark=common,
        cash=np.full(DAYS, 5e-5),
        held=held,
        index=np.full((DAYS, NAMES), 0.8 / NAMES),
        periods=PERIODS,
    )
    return books, past, member


def one(books: Books, hazard: np.ndarray, rate: float, loss: float, draws: int = 400) -> pd.Series:
    return stress(books, hazard, [rate], [loss], draws, generator(7, "draws")).iloc[0]


@pytest.mark.parametrize("hazard", [uniform, losers])
@pytest.mark.parametrize(("rate", "loss"), [(0.0, -0.3), (0.02, 0.0)])
def test_no_delisting_or_no_loss_changes_nothing(hazard, rate, loss):
    books, past, member = market()
    row = one(books, hazard(past, member), rate, loss)
    plain = {
        "ann_return": metrics.ann_return(books.book, PERIODS),
        "active": (books.book.mean() - books.benchmark.mean()) * PERIODS,
        "sharpe": metrics.sharpe(books.book, books.cash, PERIODS),
    }
    for name, value in plain.items():
        for column in (name, f"{name}_low", f"{name}_high"):
            assert row[column] == pytest.approx(value, rel=1e-9), column


def test_a_hazard_that_is_alike_for_all_costs_rate_times_loss_times_what_is_invested():
    books, past, member = market()
    told = expected(books, uniform(past, member), 0.02, -0.3)
    assert told["ann_return"] - metrics.ann_return(books.book, PERIODS) == pytest.approx(
        -0.02 * 0.3 * 0.9
    )
    assert told["active"] - books.active == pytest.approx(-0.02 * 0.3 * (0.9 - 0.8))


def first_days(past: np.ndarray, member: np.ndarray) -> np.ndarray:
    """A hazard that comes with the book's worst days."""
    return np.where(np.arange(DAYS)[:, None] < 50, 10.0, 0.0) * member


@pytest.mark.parametrize("hazard", [uniform, losers, first_days])
def test_the_draws_are_those_of_a_coin_for_every_name_and_day(hazard):
    """Against a simulation that knows no shortcut: a count for every cell, returns, statistics."""
    books, past, member = market()
    rng, told = generator(3, "coins"), []
    # unequal weights and many losses, or else the draws would repeat a few values
    books = replace(books, held=books.held * rng.uniform(0.2, 1.8, books.held.shape))
    books.book[:50] -= 0.03
    danger, rate, loss, draws = hazard(past, member), 0.6, -0.4, 600
    row = one(books, danger, rate, loss, draws=4000)
    for _ in range(draws):
        struck = rng.poisson(rate / PERIODS * danger)
        book = books.book + loss * (struck * books.held).sum(axis=1)
        other = books.benchmark + loss * (struck * books.index).sum(axis=1)
        told.append(
            (
                metrics.ann_return(book, PERIODS),
                metrics.ann_return(book - other, PERIODS),
                metrics.sharpe(book, books.cash, PERIODS),
            )
        )
    for name, values in zip(NUMBERS, np.array(told).T, strict=True):
        error = values.std() / np.sqrt(draws)
        assert abs(values.mean() - row[name]) < 4 * error, name
        below = (values <= row[f"{name}_low"]).mean()
        above = (values >= row[f"{name}_high"]).mean()
        # a share of 5 % in 600 draws has an error of 0.9 %
        assert 0.02 < below < 0.085 and 0.02 < above < 0.085, (name, below, above)


def test_more_delistings_and_larger_losses_never_help_a_book_without_a_benchmark():
    books, past, member = market()
    for hazard in (uniform, losers):
        table = stress(
            replace(books, index=np.zeros_like(books.index)), hazard(past, member),
            [0.04, 0.005, 0.02], [-0.3, -0.55, -0.1], 200, generator(7, "draws"),
        )  # fmt: skip
        columns = [n + tail for n in ("ann_return", "active") for tail in ("", "_low", "_high")]
        for column in columns:
            by = table.pivot(index="rate", columns="loss", values=column)  # both ascending
            assert (by.diff().dropna() <= 1e-15).all().all(), column
            assert (by.diff(axis=1).iloc[:, 1:] >= -1e-15).all().all(), column


def test_a_book_of_names_that_the_hazard_spares_loses_nothing():
    books, past, member = market()
    past[:, :10] += 10.0
    row = one(books, losers(past, member), 0.04, -0.55)
    for column in ("ann_return", "ann_return_low", "ann_return_high"):
        assert row[column] == pytest.approx(metrics.ann_return(books.book, PERIODS), rel=1e-9)
    # while its benchmark loses
    assert row["active"] > books.active
    past[:, :10] -= 20.0  # the same book among the losers: forty names, ten of them tie or lose
    struck = losers(past, member)
    assert survivorship.in_danger(books.held, struck) == pytest.approx(5 * 0.09 * 8)


def test_the_hazard_of_losers_strikes_the_fifth_that_lost_most_and_the_rate_stays_the_rate():
    past = np.array([np.arange(10.0), np.arange(10.0)[::-1], np.full(10, np.nan)])
    member = np.ones(past.shape, bool)
    member[0, 9] = False  # held, no member, and no loser
    struck = losers(past, member)
    np.testing.assert_array_equal(np.flatnonzero(struck[0]), [0, 1])
    np.testing.assert_array_equal(np.flatnonzero(struck[1]), [8, 9])
    assert struck[0][member[0]].mean() == struck[1].mean() == pytest.approx(1.0)
    assert not struck[2].any()
    past[1, 9], member[1, 9] = -5.0, False  # held, no member any more, and a loser all the same
    struck = losers(past, member)[1]
    assert struck[9] > 0 and struck[member[1]].mean() == pytest.approx(1.0)


def test_at_the_break_even_rate_the_active_return_is_nil():
    books, past, member = market()
    danger = uniform(past, member)
    rate = survivorship.break_even(books, danger, -1.0)
    assert 0 < rate < 1
    assert expected(books, danger, rate, -1.0)["active"] == pytest.approx(0.0, abs=1e-12)
    assert expected(books, danger, 0.9 * rate, -1.0)["active"] > 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"index": np.full((DAYS, NAMES), 0.95 / NAMES)}, "the benchmark is in more danger"),
        ({"benchmark": np.full(DAYS, 0.1)}, "there is no active return to lose"),
        ({"book": np.full(DAYS, 0.1)}, "no rate up to 1 takes it"),
    ],
)
def test_there_is_no_break_even_rate_where(change, why):
    books, past, member = market()
    assert np.isnan(survivorship.break_even(replace(books, **change), uniform(past, member), -0.3))


def test_past_returns_know_nothing_later():
    value = np.exp(np.cumsum(generator(5, "value").normal(0, 0.02, (60, 6)), axis=0))
    value[:20, 1] = np.nan  # listed later
    value[40:45, 2] = np.nan  # suspended
    whole = survivorship.past_returns(value, 10)
    for cut in (5, 10, 21, 43, 59):
        np.testing.assert_array_equal(survivorship.past_returns(value[:cut], 10), whole[:cut])
    np.testing.assert_allclose(whole[30, 0], value[30, 0] / value[20, 0] - 1)
    np.testing.assert_allclose(whole[25, 1], value[25, 1] / value[20, 1] - 1)
    np.testing.assert_allclose(whole[44, 2], value[39, 2] / value[34, 2] - 1)
    assert np.isnan(whole[19, 1])


def test_the_rate_that_the_data_know_counts_failures_of_members():
    days = pd.bdate_range("2015-01-01", "2016-12-30")
    rows = {
        "A": days, "FAILED": days[:300], "UNKNOWN": days[:400], "TAKEN": days[:300],
        "CUT": days[:300], "LONG": days[:100], "LATER": days,
    }  # fmt: skip
    membership = pd.concat([pd.DataFrame({"date": d, "symbol": n}) for n, d in rows.items()])
    ends = {
        "A": (None, np.nan, False), "FAILED": (days[305], -0.8, False),
        "UNKNOWN": (days[400], np.nan, False), "TAKEN": (days[300], 0.0, False),
        "CUT": (days[300], np.nan, True), "LONG": (days[500], -0.9, False),
        "LATER": (days[-1] + pd.Timedelta(days=9), -0.9, False),
        "NEVER": (days[300], -0.9, False),
    }  # fmt: skip
    listings = pd.DataFrame(
        [(name, *end) for name, end in ends.items()],
        columns=["symbol", "delist_date", "delist_return", "truncated"],
    )
    listings["delist_date"] = pd.to_datetime(listings["delist_date"])
    # FAILED and UNKNOWN; LONG had left more than a year before, LATER ends after the window
    told = survivorship.observed_rate(listings, membership, 261.0)
    assert told == pytest.approx(2 / (len(membership) / 261.0))


def test_a_list_of_rates_without_any_makes_no_rows():
    books, past, member = market()
    assert stress(books, uniform(past, member), [], [-0.3], 20, generator(7, "draws")).empty
