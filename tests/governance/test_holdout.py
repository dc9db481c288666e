import json
from itertools import count

import pytest

from quant.core.errors import StoreError
from quant.governance import holdout
from quant.governance.holdout import Span, Visit

HELD = Span("2018-01-02")
BEFORE = Span("2010-01-04", "2018-01-01")
ALL = Span("2010-01-04", "2020-12-31")
_clock = count()


def who(config: str = "c1") -> dict[str, str]:
    utc = f"2024-01-01T00:00:{next(_clock):09.6f}+00:00"
    return {"utc": utc, "user": "u", "name": f"run-{config}", "config_hash": config, "git_sha": "g"}


@pytest.fixture
def ledger(tmp_path):
    """A ledger in which one locked run has declared the hold-out."""
    path = tmp_path / "mlruns" / "holdout.jsonl"
    locked = Visit("m", BEFORE, HELD)
    assert holdout.look(path, locked, who()) == []
    holdout.declare(path, locked, who(), before=7)
    return path


def counts(path, *span: str | None) -> tuple[int, int]:
    known = holdout.status(path, "m", *span)
    return known.reads, known.configs


def test_a_locked_run_declares_once_and_looks_at_nothing(ledger):
    holdout.declare(ledger, Visit("m", BEFORE, HELD), who("c2"), before=9)
    assert [(r["kind"], r["before"]) for r in holdout.read(ledger)] == [("declare", 7)]
    known = holdout.status(ledger, "m", *("2018-01-02", None), locked=True)
    assert (known.start, known.end, known.locked, known.before) == ("2018-01-02", None, True, 7)
    assert (known.reads, known.configs, list(known.rows)) == (0, 0, list(holdout.ROWS))


def test_every_read_counts_and_a_configuration_counts_once(ledger):
    for config in ("c2", "c2", "c3"):
        assert holdout.look(ledger, Visit("m", ALL, HELD, read=True), who(config)) == ["read"]
    assert counts(ledger, "2018-01-02", None) == (3, 2)
    rows = holdout.status(ledger, "m").rows
    assert rows["config_hash"].tolist() == ["c2", "c2", "c3"]
    assert rows["utc"].is_monotonic_increasing and set(rows["kind"]) == {"read"}


@pytest.mark.parametrize(
    ("visit", "kinds"),
    [
        (Visit("m", ALL), ["undeclared"]),
        (Visit("m", BEFORE), []),
        (Visit("other", ALL), []),
        (Visit("m", Span("2019-01-02", "2019-12-31")), ["undeclared"]),
        (Visit("m", Span("2010-01-04", "2018-12-31"), Span("2019-01-01")), ["undeclared"]),
        (Visit("m", Span("2010-01-04", "2016-12-31"), Span("2017-01-01")), []),
        (Visit("m", ALL, Span("2019-01-01"), read=True), ["read", "undeclared"]),
        (Visit("m", ALL, Span("2017-01-01"), read=True), ["read"]),
    ],
)
def test_data_that_reach_into_a_declared_hold_out_are_a_look(ledger, visit, kinds):
    assert holdout.look(ledger, visit, who("c9")) == kinds
    # whatever it was called, one run has looked once
    assert counts(ledger, "2018-01-02", None) == (bool(kinds), bool(kinds))


def test_looking_at_the_years_before_or_after_is_no_look(tmp_path):
    path = tmp_path / "holdout.jsonl"
    own = Span("2018-01-02", "2018-12-31")
    holdout.declare(path, Visit("m", ALL, own), who(), before=0)
    assert holdout.look(path, Visit("m", Span("2019-01-02", "2020-12-31")), who("c2")) == []
    seen = Span("2010-01-04", own.end)
    assert holdout.look(path, Visit("m", seen, own, read=True), who("c2")) == ["read"]
    assert counts(path, "2019-01-01", None) == (0, 0)
    assert counts(path, "2018-06-01", "2018-06-30") == (1, 1)


def test_without_one_of_its_own_a_run_is_told_the_first_that_was_declared(ledger):
    holdout.declare(ledger, Visit("m", ALL, Span("2012-01-03")), who(), before=0)
    assert holdout.status(ledger, "m").start == "2018-01-02"
    assert holdout.status(ledger, "other").start is None
    assert holdout.status(ledger.parent / "none.jsonl", "m").start is None


def test_the_ledger_is_only_ever_added_to(ledger):
    first = ledger.read_bytes()
    holdout.look(ledger, Visit("m", ALL), who("c2"))
    assert ledger.read_bytes().startswith(first)
    assert ledger.read_bytes().count(b"\n") == 2


GOOD = {"kind": "read", "market": "m", "start": "2018-01-02", "end": None, **who()}


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe\x01",
        b"null",
        b"{oops",
        b'{"kind": "read", "market": "m"}',
        json.dumps(GOOD | {"kind": "peek"}).encode(),
        json.dumps(GOOD | {"end": 3}).encode(),
        json.dumps(GOOD | {"user": None}).encode(),
        json.dumps(GOOD | {"kind": "declare", "before": "many"}).encode(),
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_overwritten(tmp_path, damage):
    path = tmp_path / "holdout.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b"\n" + damage + b"\n")
    held = path.read_bytes()
    with pytest.raises(StoreError, match="line 2 of the hold-out ledger .* repair or remove"):
        holdout.look(path, Visit("m", ALL, HELD, read=True), who())
    assert path.read_bytes() == held


def test_a_folder_in_the_ledger_s_place_is_refused(tmp_path):
    (tmp_path / "holdout.jsonl").mkdir()
    with pytest.raises(StoreError, match="holdout.jsonl"):
        holdout.status(tmp_path / "holdout.jsonl", "m")


def test_a_ledger_without_its_last_newline_takes_a_line_of_its_own(ledger):
    ledger.write_text(ledger.read_text().rstrip("\n"))
    for config in ("c2", "c3"):
        holdout.look(ledger, Visit("m", ALL, HELD, read=True), who(config))
    assert [r["kind"] for r in holdout.read(ledger)] == ["declare", "read", "read"]
    assert ledger.read_text().count("\n") == 3


def test_a_run_that_began_before_the_declaration_is_counted_once_it_asks_again(tmp_path):
    path, early, locked = tmp_path / "holdout.jsonl", who("early"), who("locked")
    assert holdout.look(path, Visit("m", ALL), early) == []
    holdout.declare(path, Visit("m", BEFORE, HELD), locked, before=0)
    assert holdout.look(path, Visit("m", ALL), early) == ["undeclared"]
    assert holdout.look(path, Visit("m", ALL), early) == []
    assert counts(path) == (1, 1)
