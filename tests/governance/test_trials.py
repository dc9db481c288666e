import numpy as np
import pytest

from quant.core.errors import StoreError
from quant.governance import trials


def row(h: str, sharpe: float, market: str = "m") -> dict:
    return {"market": market, "config_hash": h, "sharpe_period": sharpe}


def test_a_rerun_is_no_trial_and_other_markets_do_not_count(tmp_path):
    ledger = tmp_path / "trials.jsonl"
    for r in (row("a", 0.1), row("a", 0.1), row("b", 0.2), row("c", 0.3, "other")):
        trials.record(ledger, r)
    assert len(trials.read(ledger)) == 3
    known = trials.snapshot(ledger, "m", "a")
    assert known.n == 2
    assert known.variance(0.1) == pytest.approx(np.var([0.1, 0.2], ddof=1))


def test_a_single_trial_has_no_variance(tmp_path):
    known = trials.snapshot(tmp_path / "none.jsonl", "m", "a")
    assert (known.n, known.variance(0.1)) == (1, 0.0)


def test_a_rerun_sees_the_same_snapshot(tmp_path):
    ledger = tmp_path / "trials.jsonl"
    before = trials.snapshot(ledger, "m", "a").digest()
    trials.record(ledger, row("a", 0.1))
    assert trials.snapshot(ledger, "m", "a").digest() == before
    trials.record(ledger, row("b", 0.1))
    assert trials.snapshot(ledger, "m", "a").digest() != before


def test_a_damaged_line_is_named_and_nothing_is_overwritten(tmp_path):
    ledger = tmp_path / "trials.jsonl"
    ledger.write_text('{"market": "m", "config_hash": "a", "sharpe_period": 1}\n{oops\n')
    with pytest.raises(StoreError, match="line 2 of the trial ledger"):
        trials.record(ledger, row("b", 0.2))
    assert ledger.read_text().count("\n") == 2


GOOD = b'{"market": "m", "config_hash": "a", "sharpe_period": 1}\n'


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe\x01",
        b"null",
        b'[["market", "m"]]',
        b'{"market": "m"}',
        b'{"market": "m", "config_hash": "b", "sharpe_period": "abc"}',
    ],
)
def test_whatever_a_line_holds_it_is_named(tmp_path, damage):
    ledger = tmp_path / "trials.jsonl"
    ledger.write_bytes(GOOD + damage + b"\n")
    with pytest.raises(StoreError, match="line 2 of the trial ledger .* repair or remove"):
        trials.snapshot(ledger, "m", "z")


def test_a_folder_in_the_ledger_s_place_is_refused(tmp_path):
    (tmp_path / "trials.jsonl").mkdir()
    with pytest.raises(StoreError, match="trials.jsonl"):
        trials.snapshot(tmp_path / "trials.jsonl", "m", "z")
