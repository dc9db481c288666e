"""Asking a vendor: waits, attempts, pacing, and which day is final."""

from datetime import UTC, date, datetime

import pytest

from quant.core.errors import ConfigError, ProviderError
from quant.data.providers.download import Busy, Caller, Malformed, Patience, chunks, settled


def failing(times: int, error: Exception, calls: list[int]):
    def ask() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "answer"

    return ask


def test_waits_double_up_to_the_longest():
    waits: list[float] = []
    patience = Patience(attempts=6, first_wait=1, longest_wait=5, seed=None, sleep=waits.append)
    assert Caller("v", patience).call("x", failing(5, Busy("429"), [])) == "answer"
    assert waits == [1, 2, 4, 5, 5]


def test_jitter_is_that_of_the_named_seed():
    def waits(seed: int) -> list[float]:
        found: list[float] = []
        patience = Patience(attempts=5, first_wait=8, seed=seed, sleep=found.append)
        Caller("v", patience).call("x", failing(4, Busy("429"), []))
        return found

    assert waits(42) == waits(42) != waits(43)
    assert all(0.75 <= w / (8 * 2**i) <= 1.25 for i, w in enumerate(waits(42)))


def test_a_busy_vendor_ends_in_an_error_that_says_what_to_do():
    calls: list[int] = []
    caller = Caller("v", Patience(attempts=3, sleep=lambda _: None))
    with pytest.raises(ProviderError, match=r"v did not answer page 7 in 3 attempts \(429\)"):
        caller.call("page 7", failing(9, Busy("429"), calls))
    assert len(calls) == caller.requests == 3


def test_an_unreadable_answer_is_asked_for_less_often():
    calls: list[int] = []
    caller = Caller("v", Patience(attempts=9, malformed=2, sleep=lambda _: None))
    with pytest.raises(Malformed, match="odd"):
        caller.call("x", failing(9, Malformed("odd"), calls))
    assert len(calls) == 2


def test_other_errors_are_not_asked_again():
    calls: list[int] = []
    with pytest.raises(ZeroDivisionError):
        Caller("v", Patience()).call("x", failing(9, ZeroDivisionError(), calls))
    assert len(calls) == 1


def test_requests_are_spaced_evenly():
    waits: list[float] = []
    caller = Caller("v", Patience(per_minute=60, sleep=waits.append))
    for _ in range(3):
        caller.call("x", lambda: None)
    assert waits == pytest.approx([1.0, 2.0], abs=0.2)


@pytest.mark.parametrize("bad", [{"attempts": 0}, {"timeout": 0.0}, {"first_wait": -1.0}])
def test_impossible_patience_is_refused(bad):
    with pytest.raises(ConfigError, match="at least 1"):
        Patience(**bad)


@pytest.mark.parametrize(
    ("now", "zone", "day"),
    [
        ("2024-07-03 21:59", "America/New_York", date(2024, 7, 2)),  # 17:59 in New York
        ("2024-07-03 22:00", "America/New_York", date(2024, 7, 3)),
        ("2024-07-03 10:00", "Asia/Shanghai", date(2024, 7, 3)),
        ("2024-07-03 09:59", "Asia/Shanghai", date(2024, 7, 2)),
    ],
)
def test_a_day_is_final_from_six_in_the_evening(now, zone, day):
    assert settled(datetime.fromisoformat(now).replace(tzinfo=UTC), zone) == day


def test_chunks_keep_order_and_lose_nothing():
    assert [list(c) for c in chunks(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
