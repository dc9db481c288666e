"""The comparison of a sweep: what jobs leave, what is made of it, and the page at the end."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant import sweep
from quant.core import tables
from quant.core.errors import ConfigError, StoreError
from quant.core.seeds import generator
from quant.evaluation import compare, metrics
from quant.governance import holdout, trials
from quant.settings import Changes
from tests.test_main import TINY, quant

DAYS = pd.bdate_range("2015-01-01", periods=600)
MARKET = generator(42, "tests", "sweep").normal(0.0004, 0.01, DAYS.size)
UNSET = {"start": None, "end": None, "read": False, "last_seen": None, "market": "h",
         "ledger": "none"}  # fmt: skip


def returns(own: str, gain: float = 0.0, alike: float = 0.0) -> pd.DataFrame:
    """A book of `gain` a session beside the market; `alike` with all others that say so."""
    draw = {k: generator(42, "tests", "sweep", k).normal(0, 0.003, DAYS.size) for k in (own, "all")}
    book = MARKET + gain + np.sqrt(alike) * draw["all"] + np.sqrt(1 - alike) * draw[own]
    return pd.DataFrame({"date": DAYS, "book": book, "benchmark": MARKET, "rf": 0.0001})


@pytest.fixture
def leave(tmp_path):
    """Leave a job and return its folder."""

    def left(number: int, override: str, daily: pd.DataFrame, **said) -> Path:
        own = metrics.sharpe(daily["book"].to_numpy(), daily["rf"].to_numpy())
        record = {
            "job": number, "overrides": ["experiment=smoke", override],
            "config_hash": f"hash{number:02d}", "name": f"run {number}", "git_sha": "abc",
            "region": "us", "market": "m", "command": "quant --multirun", "simulated": True,
            "periods": 252, "start": "2014-12-31",
            "report": str(tmp_path / "reports/sprint0_US" / f"{number}.html"),
            "metrics": {"sharpe": own * 252**0.5, "ann_return": 0.1}, "same_idea": 0.5,
            "block": 21, "draws": 199, "seed": 42, "trials": str(tmp_path / "trials.jsonl"),
            "reports": str(tmp_path / "reports"), "holdout": UNSET, **said,
        }  # fmt: skip
        sweep.leave(tmp_path / str(number), record, daily)
        row = {k: record[k] for k in ("market", "config_hash", "name")} | {"sharpe_period": own}
        trials.record(tmp_path / "trials.jsonl", row, daily)
        return tmp_path / str(number)

    return left


def read(*folders: Path) -> list[sweep.Job]:
    return [sweep.read(f) for f in folders]


def test_every_job_is_compared_with_the_first_and_with_its_benchmark(leave):
    jobs = read(leave(0, "a=1", returns("0")), leave(1, "a=2", returns("1", gain=0.002)),
                leave(2, "a=3", returns("2", gain=-0.002)))  # fmt: skip
    found = sweep.inputs(jobs)
    tables.COMPARISONS.check(found.pairs)
    rows = found.pairs.set_index(["book", "other"])
    assert set(rows.index) == {
        ("a=2", "a=1"), ("a=3", "a=1"), *((f"a={k}", "benchmark") for k in (1, 2, 3))
    }  # fmt: skip
    assert rows.loc[("a=2", "a=1"), "verdict"] == compare.BETTER
    assert rows.loc[("a=3", "a=1"), "verdict"] == compare.WORSE
    said = found.jobs.set_index("label")["sharpe"]
    for name in ("a=2", "a=3"):
        assert rows.loc[(name, "a=1"), "difference"] == pytest.approx(
            said[name] - said["a=1"], rel=1e-9
        )
    assert (rows["detectable"] > 0).all()
    assert found.jobs["report"].tolist() == [f"../sprint0_US/{k}.html" for k in range(3)]
    assert (found.n_configs, found.n_effective, found.pbo) == (3, 3, None)


def test_a_curve_starts_at_one_before_the_first_return(leave):
    found = sweep.inputs(read(leave(0, "a=1", returns("0")), leave(1, "a=2", returns("1"))))
    days, level = found.curves["a=2"]
    assert (days[0], level[0]) == (np.datetime64("2014-12-31"), 1.0)
    assert (np.diff(days) > np.timedelta64(0)).all()
    np.testing.assert_allclose(level[1:] / level[:-1] - 1, returns("1")["book"], rtol=1e-9)


def test_near_copies_are_one_idea_and_ten_configurations_have_a_pbo(leave):
    alike = [leave(k, f"a={k}", returns(str(k), alike=0.9)) for k in range(10)]
    found = sweep.inputs(read(*alike))
    assert (found.n_configs, found.n_effective) == (10, 1)
    assert 0 <= found.pbo <= 1
    assert sweep.inputs(read(*alike[:9])).pbo is None


def test_the_dsr_of_every_job_counts_the_whole_ledger(leave, tmp_path):
    jobs = read(leave(0, "a=1", returns("0")), leave(1, "a=2", returns("1")))
    before = sweep.inputs(jobs).jobs["dsr"]
    for k in range(8):
        row = {"market": "m", "config_hash": f"earlier {k}", "sharpe_period": 0.02 * k}
        trials.record(tmp_path / "trials.jsonl", row)
    found = sweep.inputs(jobs)
    assert (found.jobs["dsr"] < before).all()
    assert any("10 effective of 10 configurations" in n for n in found.notes)
    assert found.n_configs == 2


def test_jobs_that_read_a_hold_out_say_so_first_and_locked_ones_do_not(leave, tmp_path):
    span, ledger = holdout.Span("2016-06-01"), tmp_path / "holdout.jsonl"
    own = UNSET | {"start": span.start, "ledger": str(ledger)}
    visit = holdout.Visit("h", holdout.Span("2015-01-01"), span, read=True)
    for k in (0, 1, 1):
        who = {"utc": f"2026-01-0{len(holdout.read(ledger)) + 1}", "user": "ada", "name": "run"}
        holdout.look(ledger, visit, who | {"config_hash": f"hash0{k}", "git_sha": "abc"})

    def notes(**said) -> tuple[str, ...]:
        held = own | said
        return sweep.inputs(read(
            *(leave(k, f"a={k}", returns(str(k)), holdout=held) for k in (0, 1, 2))
        )).notes  # fmt: skip

    assert notes(read=True)[0] == (
        "2 of these 3 jobs read the hold-out from 2016-06-01 to the end of the data; choosing "
        "among them is choosing on it. Looks at it so far: 3, by 2 configurations."
    )
    assert not any("hold-out" in n for n in notes(last_seen="2016-05-31"))
    held = holdout.Visit("h", holdout.Span("2015-01-01", "2016-05-31"), span)
    holdout.declare(ledger, held, who | {"config_hash": "a", "git_sha": "abc"}, 0)
    assert "read the hold-out from 2016-06-01" in notes(start=None)[0]  # undeclared


def test_a_locked_sweep_is_not_deflated_by_the_hold_out(leave, tmp_path):
    locked = UNSET | {"last_seen": "2016-05-31"}
    early = [returns(str(k)).query("date <= '2016-05-31'") for k in (0, 1)]
    jobs = read(*(leave(k, f"a={k}", early[k], holdout=locked) for k in (0, 1)))
    found = []
    for k, gain in enumerate((0.0, 0.01)):
        late = returns("2")
        late.loc[late["date"] > "2016-05-31", "book"] += gain
        row = {"market": "m", "config_hash": "2", "sharpe_period": 0.1 + k}
        trials.record(tmp_path / "trials.jsonl", row, late)
        found.append(sweep.inputs(jobs).jobs["dsr"])
    pd.testing.assert_series_equal(*found, check_exact=True)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([["x=1", "a=1"], ["x=1", "a=2"]], ["a=1", "a=2"]),
        ([["a=1", "b=1"], ["a=1", "b=2"], ["a=2", "b=1"]], ["a=1, b=1", "a=1, b=2", "a=2, b=1"]),
        ([["a=1"], ["a=1"]], ["as given (job 0)", "as given (job 1)"]),
        ([[], ["a=1"]], ["as given", "a=1"]),
    ],
)
def test_jobs_are_named_by_what_they_do_not_share(overrides, expected):
    assert sweep.label(overrides) == expected


def test_the_same_returns_are_said_to_be_the_same(leave):
    found = sweep.inputs(read(leave(0, "a=1", returns("0")), leave(1, "a=2", returns("0"))))
    assert found.pairs.iloc[1]["difference"] == 0
    assert any("a=2 are those of the base to the last bit" in n for n in found.notes)


def test_jobs_with_too_few_common_sessions_are_named(leave):
    late = returns("1").iloc[450:]
    found = sweep.inputs(read(leave(0, "a=1", returns("0")), leave(1, "a=2", late)))
    assert set(found.pairs["book"]) == {"a=1"}
    assert any(n == "Too few common sessions to compare on: a=2." for n in found.notes)


def test_a_comparison_repeats_bit_by_bit(leave):
    jobs = read(leave(0, "a=1", returns("0")), leave(1, "a=2", returns("1")))
    pd.testing.assert_frame_equal(
        sweep.inputs(jobs).pairs, sweep.inputs(jobs).pairs, check_exact=True
    )


def test_pages_by_market_and_never_over_another(leave, tmp_path):
    us = [leave(k, f"a={k}", returns(str(k))) for k in (0, 1)]
    cn = [leave(k, f"a={k}", returns(str(k)), market="n", region="cn") for k in (2, 3)]
    alone = leave(4, "a=4", returns("4"), market="o")
    one, two = sweep.compared([*us, *cn, alone], "stamp", failed=1)
    assert (one.name, two.name) == ("stamp-us-m.html", "stamp-cn-n.html")
    assert "1 of the sweep" in one.read_text() and "alone on their market" in one.read_text()
    again = [sweep.compared(us, "stamp")[0] for _ in range(3)]
    assert [p.name for p in again] == ["stamp.html", "stamp-2.html", "stamp-3.html"]
    assert {p.parent for p in again} == {tmp_path / "reports" / "sweeps"}


def test_what_can_not_be_compared_makes_no_page(leave, tmp_path):
    first = leave(0, "a=1", returns("0"))
    assert sweep.compared([first], "stamp") == []
    assert sweep.compared([first, tmp_path / "evaluated nothing"], "stamp") == []
    assert sweep.compared([first, leave(1, "seed=2", returns("1"), market="n")], "stamp") == []


def test_a_damaged_record_is_named(leave):
    folder = leave(0, "a=1", returns("0"))
    (folder / sweep.RECORD).write_text("{")
    with pytest.raises(StoreError, match=f"job in {re.escape(str(folder))} left can not be read"):
        sweep.read(folder)


@pytest.mark.slow
def test_a_multirun_ends_with_its_comparison_whatever_a_job_does(tmp_path):
    done = quant(tmp_path, *TINY, "--multirun", "optimizer.gamma=8,-1,4")
    assert done.returncode == 1 and done.stderr.count("error: ") == 1, done.stderr
    (page,) = (tmp_path / "reports" / "sweeps").glob("*.html")
    assert f"comparison: reports/sweeps/{page.name}" in done.stderr
    text = page.read_text()
    for said in ("optimizer.gamma=8", "optimizer.gamma=4", "SIMULATED", "INCONCLUSIVE", "1 of the"):
        assert said in text, said
    assert list((tmp_path / "mlruns" / "artifacts").glob(f"*/artifacts/comparison/{page.name}"))
    ledger = tmp_path / "mlruns" / "trials.jsonl"
    lines = trials.read(ledger)
    kept = trials.snapshot(ledger, lines[0]["market"], "another").others
    assert len(kept) == 2 and [t.n_obs for t in kept] == [len(t.returns) for t in kept]
    single = quant(tmp_path, *TINY, "stage=ingest", "--multirun", "optimizer.gamma=8,4")
    assert single.returncode == 0 and "comparison" not in single.stderr


def night(leave, folder: Path, gains: dict[str, float], **said) -> Path:
    """Runs of a night, each the same draw beside the market plus a gain a session."""
    for number, (name, gain) in enumerate(gains.items()):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        leave(number, f"run={name}", returns("0", gain=gain), **said).rename(target)
    return folder


def test_a_change_is_judged_run_by_run(leave, tmp_path):
    before = night(leave, tmp_path / "before", {"us-base": 0.0, "us-no_tilt": 0.0, "us-gone": 0.0})
    after = night(leave, tmp_path / "after", {"us-base": 0.002, "us-no_tilt": 0.0, "us-new": 0.0})
    found = sweep.deltas(before, after).set_index("run")
    assert list(found.index) == ["us-base", "us-no_tilt"]
    better, same = found.loc["us-base"], found.loc["us-no_tilt"]
    assert better["verdict"] == "BETTER" and better["low"] > 0
    assert better["sharpe_after"] > better["sharpe_before"] == same["sharpe_before"]
    assert same["sharpe_after"] == same["sharpe_before"] and same["verdict"] != "BETTER"


def test_nights_that_can_not_be_compared_are_refused(leave, tmp_path):
    one = night(leave, tmp_path / "one", {"us-base": 0.0})
    other = night(leave, tmp_path / "other", {"us-base": 0.0}, market="another")
    alone = night(leave, tmp_path / "alone", {"cn-base": 0.0})
    (tmp_path / "empty").mkdir()
    for folder, why in ((other, "ran on the market m before and another after"),
                        (alone, "no run in common"), (tmp_path / "empty", "no evaluated run"),
                        (tmp_path / "none", "no evaluated run")):  # fmt: skip
        with pytest.raises(ConfigError, match=why):
            sweep.deltas(one, folder)
    with pytest.raises(ConfigError, match="give both, or neither"):
        Changes(before="a")
