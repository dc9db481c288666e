"""The search for settings: what a candidate is worth, what is given up, what survives a kill."""

import os
import signal
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from quant.config_paths import PROJECT
from quant.core.errors import ConfigError, DataError, StageError, StoreError
from quant.core.seeds import generator
from quant.evaluation import metrics
from quant.evaluation.splits import groups_by_date
from quant.model2 import criterion, space, tuning
from quant.model2.criterion import Passes

DAYS = 120
STRIDE = 5
GROUPS = groups_by_date(np.arange(DAYS), 6)
PAIRS = list(combinations(range(6), 2))
DIALS = space.dials(
    {"leaves": {"low": 5, "high": 60}, "rate": {"low": 0.01, "high": 1.0, "log": True}},
    {"leaves": 31, "rate": 0.1},
)
FIRST = {"leaves": 31, "rate": 0.1}


def spec(trials: int = 14, **said) -> tuning.SearchSpec:
    return tuning.SearchSpec(
        **{"trials": trials, "random": 6, "prune": 0.1, "n_days": DAYS, "groups": 6,
           "test_groups": 2, "stride": STRIDE} | said
    )  # fmt: skip


def evaluate(parameters):
    """Best at 20 leaves; part of the noise is every candidate's own."""
    shared = generator(42, "tests", "tuning").normal(0, 0.02, DAYS)
    edge = 0.6 - abs(parameters["leaves"] - 20) / 20
    for number in criterion.order(6, 2):
        day = np.flatnonzero(np.isin(GROUPS, PAIRS[number]))
        own = generator(42, "tests", "tuning", str(number), str(parameters["rate"]))
        spread = 0.02 * edge + shared[day] + own.normal(0, 0.004, day.size)
        yield criterion.Tested(number, day, np.full(day.size, edge / 10), spread)


def search(folder, trials=14, doing=evaluate, name="study", heard=lambda tried: None, **said):
    file = Path(folder) / "tune.db"
    return tuning.search(doing, DIALS, spec(trials, **said), FIRST, 42, file, name, heard)


def told(found):
    """What a search found, but for its clock and the numbers of the study."""
    return [
        (t.state, t.parameters, t.splits, t.passes.spread.tobytes())
        for t in found
        if t.state != tuning.FAILED
    ]


# -- the criterion ---------------------------------------------------------------------------


@pytest.mark.parametrize(("groups", "test"), [(6, 2), (4, 2), (6, 3), (5, 1)])
def test_every_group_is_tested_once_before_any_is_tested_twice(groups, test):
    pairs = list(combinations(range(groups), test))
    order = criterion.order(groups, test)
    assert sorted(order) == list(range(len(pairs)))
    first = [g for number in order[: groups // test] for g in pairs[number]]
    assert sorted(first) == list(range(groups // test * test))


def test_each_pass_tests_every_day_once():
    passes = Passes(DAYS, 6, 2)
    with pytest.raises(DataError, match="120 of 120 days were not tested"):
        passes.whole()
    for k, one in enumerate(evaluate(FIRST), 1):
        passes.add(one)
        assert np.isfinite(passes.spread).sum() == k * DAYS // 3
        if k == 3:
            assert passes.whole()[0].shape == (1, DAYS) and np.isfinite(passes.whole()[1]).all()
    assert passes.whole()[0].shape == (5, DAYS) and np.isfinite(passes.spread).all()


def test_without_overlap_the_sharpe_ratio_is_the_plain_one():
    drawn = generator(42, "tests", "plain").normal(0.01, 0.02, 60)
    found = criterion.shape(drawn[None], 1)
    assert found == metrics.shape(drawn)


def test_overlapping_labels_and_several_paths_do_not_make_more_observations():
    """Without alpha PSR exceeds 0.95 in one market of twenty, not in one of four."""
    high = {"honest": 0, "of sessions": 0}
    for k in range(300):
        daily = generator(42, "tests", "overlap", str(k)).normal(0, 0.01, DAYS + STRIDE)
        total = np.cumsum(np.r_[0.0, daily])
        labels = total[STRIDE : STRIDE + DAYS] - total[:DAYS]
        found = criterion.shape(np.tile(labels, (5, 1)), STRIDE)
        assert found.n == DAYS // STRIDE
        high["honest"] += metrics.psr(found) > 0.95
        high["of sessions"] += metrics.psr(metrics.shape(labels)) > 0.95
    assert high["honest"] / 300 < 0.09 < 0.15 < high["of sessions"] / 300


def test_who_tells_no_names_apart_earns_nothing_and_is_no_fault():
    passes = Passes(DAYS, 6, 2)
    for one in evaluate(FIRST):
        nothing = np.full(one.day.size, np.nan)
        passes.add(criterion.Tested(one.split, one.day, nothing, nothing))
    worth = criterion.worth(passes, STRIDE)
    assert (worth.score, worth.shape.sharpe) == (0.0, 0.0) and np.isnan(worth.rank_ic)


def test_a_sample_of_one_label_period_is_refused():
    with pytest.raises(DataError, match="hold 1 label periods of 5 days"):
        criterion.shape(np.zeros((1, 9)), 5)


def worths(*purpose, n, edge=0.0, shared=0.0):
    """Candidates of a market without alpha, but for `edge` of the first one."""
    out = []
    for k in range(n):
        both = [generator(42, "tests", "worths", *purpose, x).normal(0, 0.02, DAYS)
                for x in ("all", str(k))]  # fmt: skip
        series = np.sqrt(shared) * both[0] + np.sqrt(1 - shared) * both[1] + edge * (k == 0)
        out.append(criterion.Worth(0.0, 0.0, criterion.shape(series[None], 1), series))
    return out


DATES = np.datetime64("2010-01-04") + 7 * np.arange(DAYS)


def test_the_best_of_many_worthless_trials_passes_psr_and_not_dsr():
    naive, deflated = [], []
    for k in range(40):
        found = worths(str(k), n=20)
        luck = criterion.deflate(found, DATES, 0.95)
        assert luck.n == 20 and np.allclose(luck.dsr, luck.dsr_each)
        naive.append(max(metrics.psr(w.shape) for w in found) > 0.95)
        deflated.append(luck.dsr.max() > 0.95)
    assert np.mean(naive) > 0.4 and np.mean(deflated) <= 0.05


def test_what_is_planted_outlives_the_deflation_and_near_copies_are_one_idea():
    luck = criterion.deflate(worths("planted", n=12, edge=0.02), DATES, 0.95)
    assert luck.dsr.argmax() == 0 and luck.dsr[0] > 0.95 and luck.score[0] == luck.score.max()
    copies = criterion.deflate(worths("copies", n=12, shared=0.995), DATES, 0.95)
    assert copies.n == 1 and copies.best == 0.0
    assert (copies.dsr >= copies.dsr_each).all()


# -- the search ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return search(tmp_path_factory.mktemp("whole"))


def test_the_settings_as_they_stand_come_first_and_the_best_is_found(whole):
    assert whole[0].parameters == FIRST
    assert len({tuple(t.parameters.values()) for t in whole[1:6]}) == 5  # drawn one by one
    scores = {t.number: criterion.worth(t.passes, STRIDE).score for t in whole}
    best = whole[max(scores, key=scores.get)]
    assert abs(best.parameters["leaves"] - 20) <= 4 and scores[best.number] > scores[0] + 1


def test_bad_trials_are_given_up_after_every_day_was_tested_once(whole):
    pruned = [t for t in whole if t.state == tuning.PRUNED]
    assert len(pruned) >= 3 and all(4 <= t.splits < 15 for t in pruned)
    assert all(t.splits == 15 for t in whole if t.state == tuning.COMPLETE)
    assert max(abs(t.parameters["leaves"] - 20) for t in whole if t.state == "complete") < 30


def test_nothing_is_given_up_where_that_is_asked(tmp_path):
    assert {t.state for t in search(tmp_path, 5, prune=0.0)} == {tuning.COMPLETE}


def test_a_study_repeats_itself_and_another_seed_does_not(whole, tmp_path):
    again = search(tmp_path / "again")
    assert told(again) == told(whole)
    other = tuning.search(evaluate, DIALS, spec(4), FIRST, 7, tmp_path / "o.db", "study")
    assert [t.parameters for t in other[1:]] != [t.parameters for t in whole[1:4]]


def test_a_finished_study_is_read_and_not_run(whole, tmp_path):
    search(tmp_path, 5)
    heard = []

    def never(parameters):
        raise AssertionError("nothing is left to try")

    assert told(search(tmp_path, 5, never, heard=heard.append)) == told(whole)[:5]
    assert [t.number for t in heard] == list(range(5))


@pytest.mark.parametrize("at", [0, 7])
def test_a_stopped_search_goes_on_as_if_it_had_not_been(whole, tmp_path, at):
    tries = []

    def stopped(parameters):
        tries.append(parameters)
        for k, one in enumerate(evaluate(parameters)):
            if len(tries) == at + 1 and k == 2:
                raise KeyboardInterrupt
            yield one

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, doing=stopped)
    found = search(tmp_path)
    assert told(found) == told(whole)
    assert [t.number for t in found if t.state == tuning.FAILED] == [at]


KILLED = """
import os, signal
from tests.model2 import test_tuning as own
def evaluate(parameters):
    for k, one in enumerate(own.evaluate(parameters)):
        if len(seen) == 5 and k == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        yield one
seen = []
own.search({folder!r}, doing=evaluate, heard=seen.append)
"""


def test_a_killed_process_loses_its_running_trial_alone(whole, tmp_path):
    code = KILLED.format(folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    found = search(tmp_path)
    assert told(found) == told(whole)
    assert [t.number for t in found if t.state == tuning.FAILED] == [5]


def test_two_processes_do_not_run_one_study(tmp_path):
    with FileLock(tmp_path / ".tune.db.study.lock"):
        with pytest.raises(StageError, match="another process runs the study study"):
            search(tmp_path, 1)
        assert len(search(tmp_path, 1, name="other")) == 1


def test_a_damaged_file_is_one_sentence(tmp_path):
    (tmp_path / "tune.db").write_bytes(b"mine" * 1000)
    with pytest.raises(StoreError, match="can not be opened .* move the file away"):
        search(tmp_path, 1)


# -- the space -------------------------------------------------------------------------------

KNOWN = {"models": ["ridge"], "penalty": 0.1, "boost": {"leaves": 31, "rate": 0.05, "kind": "a"}}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({}, "nothing to search"),
        ({"penalty": {"low": 2.0, "high": 1.0}}, "low=2 is not below high=1"),
        ({"penalty": {"low": 1.0, "high": 1.0}}, "low=1 is not below high=1"),
        ({"penalty": {"low": 0.0, "high": 1.0, "log": True}}, "low=0 has no logarithm"),
        ({"penalty": {"low": 0.1}}, "penalty.high=None is no number"),
        ({"penalty": {"low": "a", "high": 1}}, "penalty.low='a' is no number"),
        ({"penalty": 3.0}, "penalty=3.0 is no range"),
        ({"penalty": {"low": 1, "hgih": 2}}, r"has \['hgih'\]"),
        ({"boost": {"leafs": {"low": 1, "high": 2}}}, "boost.leafs is no setting .* boost.leaves"),
        ({"models": {"choices": ["a", "b"]}}, "models is no setting"),
        ({"boost": {"leaves": {"low": 1.5, "high": 3}}}, "low=1.5 is no whole number"),
        ({"boost": {"leaves": {"low": 1, "high": 4, "step": 2}}}, "step=2 must divide"),
        ({"boost": {"rate": {"low": 0.1, "high": 0.4, "step": 2}}}, "step=2 must divide"),
        ({"boost": {"kind": {"low": 1, "high": 2}}}, "boost.kind is a text"),
        ({"boost": {"kind": {"choices": ["a"]}}}, "two different values or more"),
        ({"boost": {"leaves": {"choices": [7, "b"]}}}, "the choice 'b' is no int"),
    ],
)
def test_a_bad_space_is_refused_with_its_reason(tree, message):
    with pytest.raises(ConfigError, match=message):
        space.dials(tree, KNOWN)


def test_what_is_drawn_is_what_is_printed():
    rate = space.dials({"boost": {"rate": {"low": 0.01, "high": 0.2}}}, KNOWN)[0]
    assert [rate.of(x) for x in (0.123456, 0.0100001, 0.2)] == [0.123, 0.01, 0.2]
    assert rate.holds(0.05) and not rate.holds(0.3)
    leaves = space.dials({"boost": {"leaves": {"low": 7, "high": 31, "step": 8}}}, KNOWN)[0]
    assert leaves.holds(15) and not leaves.holds(16)
