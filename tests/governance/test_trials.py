"""The ledger of trials: what counts, what is kept beside it, and what damage does."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import StoreError
from quant.core.seeds import generator
from quant.governance import trials


def row(h: str, sharpe: float, market: str = "m") -> dict:
    return {"market": market, "config_hash": h, "sharpe_period": sharpe}


def returns(h: str, n: int = 100) -> pd.DataFrame:
    drawn = generator(42, "tests", "trials", h).normal(0, 0.01, (n, 2))
    days = pd.bdate_range("2015-01-01", periods=n)
    return pd.DataFrame({"date": days, "book": drawn[:, 0], "benchmark": drawn[:, 1], "rf": 0.0})


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "mlruns" / "trials.jsonl"


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(trials.logs, "event", lambda text, *rest: lines.append(text))
    return lines


def test_a_rerun_is_no_trial_and_other_markets_do_not_count(ledger):
    for r in (row("a", 0.1), row("a", 0.1), row("b", 0.2), row("c", 0.3, "other")):
        trials.record(ledger, r, returns(r["config_hash"]))
    assert len(trials.read(ledger)) == 3
    known = trials.snapshot(ledger, "m", "a", "mine")
    assert [t.config_hash for t in known.others] == ["b"]
    every = known.with_own(0.1, returns("a"))
    assert [(t.config_hash, t.sharpe) for t in every] == [("b", 0.2), ("a", 0.1)]
    assert (every[-1].name, every[-1].n_obs) == ("mine", 100)


def test_an_empty_ledger_knows_the_run_alone(ledger):
    known = trials.snapshot(ledger, "m", "a")
    assert known.others == () and len(known.with_own(0.1, returns("a"))) == 1
    assert not ledger.parent.exists()


def test_a_rerun_sees_the_same_snapshot_and_another_trial_changes_it(ledger):
    before = trials.snapshot(ledger, "m", "a").digest()
    trials.record(ledger, row("a", 0.1), returns("a"))
    assert trials.snapshot(ledger, "m", "a").digest() == before
    trials.record(ledger, row("b", 0.1), returns("b"))
    with_b = trials.snapshot(ledger, "m", "a").digest()
    trials.record(ledger, row("b", 0.1), returns("other returns, the same Sharpe ratio"))
    assert len({before, with_b, trials.snapshot(ledger, "m", "a").digest()}) == 3


def test_the_order_of_recording_is_irrelevant(tmp_path):
    rows = [row(h, k / 10) for k, h in enumerate("abcd")]
    found = []
    for folder, order in (("one", rows), ("two", rows[::-1])):
        ledger = tmp_path / folder / "trials.jsonl"
        for r in order:
            trials.record(ledger, r, returns(r["config_hash"]))
        found.append(trials.snapshot(ledger, "m", "z"))
    assert found[0].digest() == found[1].digest()
    assert [t.config_hash for t in found[0].others] == list("abcd")


def test_the_newest_returns_of_a_configuration_win_and_come_back_as_they_were(ledger):
    trials.record(ledger, row("a", 0.1), returns("first"))
    trials.record(ledger, row("a", 0.2), returns("second"))
    (known,) = trials.snapshot(ledger, "m", "z").others
    assert known.sharpe == 0.2
    pd.testing.assert_frame_equal(known.returns, returns("second"), check_freq=False)
    # the code went back to what it was: the first line again is the newest
    trials.record(ledger, row("a", 0.1), returns("first"))
    (known,) = trials.snapshot(ledger, "m", "z").others
    assert known.sharpe == 0.1
    pd.testing.assert_frame_equal(known.returns, returns("first"), check_freq=False)


def test_lines_of_earlier_versions_are_trials_without_returns(ledger, said):
    trials.record(ledger, row("a", 0.1))
    trials.record(ledger, row("b", 0.2), returns("b"))
    a, b = trials.snapshot(ledger, "m", "z").others
    assert a.returns is None and (a.sharpe, a.name, a.n_obs) == (0.1, "", 0)
    assert b.returns is not None and said == []


@pytest.mark.parametrize("damage", ["gone", "cut", "changed", "swapped"])
def test_missing_or_damaged_returns_are_named_and_leave_the_trial_alone(ledger, said, damage):
    trials.record(ledger, row("a", 0.1), returns("a"))
    whole = trials.snapshot(ledger, "m", "z").digest()
    file = trials.place(ledger, "m", "a")
    good = file.read_bytes()
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(good[:100])
    elif damage == "changed":
        file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    else:
        trials.RETURNS.write(returns("other"), file)
    known = trials.snapshot(ledger, "m", "z")
    assert known.others[0].returns is None and known.others[0].sharpe == 0.1
    assert known.digest() != whole
    assert len(said) == 1 and "returns of 1 trials (a)" in said[0]
    trials.record(ledger, row("a", 0.1), returns("a"))
    assert trials.snapshot(ledger, "m", "z").digest() == whole
    assert len(trials.read(ledger)) == 1


def test_a_kill_between_the_returns_and_the_line_is_mended_by_the_next_run(ledger):
    trials.record(ledger, row("a", 0.1), returns("old"))
    trials.RETURNS.write(returns("new"), trials.place(ledger, "m", "a"))  # and then killed
    assert trials.snapshot(ledger, "m", "z").others[0].returns is None
    trials.record(ledger, row("a", 0.2), returns("new"))
    (known,) = trials.snapshot(ledger, "m", "z").others
    assert known.sharpe == 0.2 and known.returns is not None


def test_jobs_at_once_lose_nothing(ledger):
    names = [f"h{k:02d}" for k in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda h: trials.record(ledger, row(h, 0.1), returns(h)), names))
    known = trials.snapshot(ledger, "m", "z")
    assert [t.config_hash for t in known.others] == names
    assert all(t.returns is not None for t in known.others)
    assert not list(ledger.parent.rglob(".*.parquet.*"))


def test_a_sharpe_ratio_that_is_no_number_is_a_trial_nevertheless(ledger):
    trials.record(ledger, row("a", float("nan")))
    assert np.isnan(trials.snapshot(ledger, "m", "z").others[0].sharpe)


GOOD = b'{"market": "m", "config_hash": "a", "sharpe_period": 1}\n'


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe\x01",
        b"null",
        b'[["market", "m"]]',
        b'{"market": "m"}',
        b"{oops",
        b'{"market": "m", "config_hash": 7, "sharpe_period": 1}',
        b'{"market": "m", "config_hash": "b", "sharpe_period": "abc"}',
        b'{"market": "m", "config_hash": "b", "sharpe_period": 1, "n_obs": "many"}',
    ],
)
def test_whatever_a_line_holds_it_is_named_and_nothing_is_overwritten(tmp_path, damage):
    ledger = tmp_path / "trials.jsonl"
    ledger.write_bytes(GOOD + damage + b"\n")
    with pytest.raises(StoreError, match="line 2 of the trial ledger .* repair or remove"):
        trials.snapshot(ledger, "m", "z")
    with pytest.raises(StoreError, match="line 2 of the trial ledger"):
        trials.record(ledger, row("b", 0.2), returns("b"))
    assert ledger.read_bytes() == GOOD + damage + b"\n"
    assert not trials.place(ledger, "m", "b").exists()


def test_a_folder_in_the_ledger_s_place_is_refused(tmp_path):
    (tmp_path / "trials.jsonl").mkdir()
    with pytest.raises(StoreError, match="trials.jsonl"):
        trials.snapshot(tmp_path / "trials.jsonl", "m", "z")


def test_a_ledger_without_its_last_newline_takes_a_line_of_its_own(ledger):
    trials.record(ledger, row("a", 0.1))
    ledger.write_text(ledger.read_text().rstrip("\n"))
    for name in "bc":
        trials.record(ledger, row(name, 0.2))
    assert [r["config_hash"] for r in trials.read(ledger)] == ["a", "b", "c"]
    assert ledger.read_text().count("\n") == 3
