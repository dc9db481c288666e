"""stage=tune: what it may see, what it finds, and where every trial is written down."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant import settings
from quant.core import tables
from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.governance import trials
from quant.reporting.tune import TuneInputs, render
from quant.stages import tune
from quant.stages.registry import Context, Inputs
from tests.model2.synthetic import sample
from tests.reporting.pages import sound
from tests.stages.test_evaluate import DAYS
from tests.stages.test_evaluate import run as evaluated

H = 5
MARKET = {"market": "m", "holdout_market": "h"}
# 5000 rows a leaf is more than there are: such trees say nothing
SPACE = {"boost": {"min_data": {"choices": [20, 5000]}, "leaves": {"low": 3, "high": 15}}}


def config(space=SPACE, holdout=None, **said) -> settings.Config:
    tiny = settings.Model2(
        models=["lightgbm"], horizons=[H], threads=1, label=settings.Label(horizon=H, horizons=[H]),
        cpcv=settings.Cpcv(embargo=5), boost=settings.Boost(rounds=10, min_data=5000, leaves=7),
        walk_forward=settings.WalkForward(min_train_years=1.3, row_step=5),
    )  # fmt: skip
    asked = settings.Tune(**{"trials": 6, "random": 3, "space": space} | said)
    return settings.Config(
        stage="tune", model2=tiny, tune=asked,
        evaluation=settings.Evaluation(holdout=holdout or settings.Holdout()),
    )  # fmt: skip


def market(**said):
    data = sample(**{"n_days": 420, "n_names": 40, "horizon": H, "strength": 0.003} | said)
    return {"features": data.features, "labels": data.labels.assign(horizon=H),
            "sessions": pd.DataFrame({"date": data.sessions.astype("datetime64[ns]")})}  # fmt: skip


PLANTED = market()


def run(folder, given=PLANTED, asked=None):
    """The table, the metrics and the file of the best settings."""
    folder.mkdir(parents=True, exist_ok=True)
    desk = tune.Desk(folder / "tune.db", folder / "trials.jsonl", MARKET)
    scratch = folder / f"scratch{len(list(folder.glob('scratch*')))}"
    scratch.mkdir()
    context = Context("us", 42, scratch, lambda label: lambda i, n: None, private=desk)
    inputs = Inputs({k: v.copy for k, v in given.items()})
    made = tune.run(tune.settings(asked or config()), inputs, context)["tuning"]
    tables.TUNING.check(made)
    return made, context.metrics, (scratch / tune.BEST).read_text()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune")
    return folder, *run(folder)


def best(made, spent) -> dict:
    return json.loads(made.set_index("number").loc[int(spent["tune.best.number"]), "parameters"])


def test_the_setting_that_finds_the_planted_signal_wins(found):
    _, made, spent, text = found
    assert best(made, spent)["boost.min_data"] == 20
    assert json.loads(made["parameters"][0]) == {"boost.min_data": 5000, "boost.leaves": 7}
    assert made["sharpe"][0] == 0 and spent["tune.best.rank_ic"] > 0.1
    assert spent["tune.best.dsr"] > 0.95
    assert "min_data: 20" in text and text.startswith("# @package _global_")


def test_what_is_printed_is_an_override_that_a_user_may_give(found):
    _, made, spent, text = found
    words = tune.override(best(made, spent)).split()
    assert [w.split("=")[0] for w in words] == ["model2.boost.min_data", "model2.boost.leaves"]
    import yaml

    assert yaml.safe_load(text)["model2"]["boost"]["leaves"] == int(words[1].split("=")[1])


def test_every_trial_is_in_the_ledger_as_what_it_is_and_no_trial_of_a_backtest(found):
    folder, made, *_ = found
    rows = trials.read(folder / "trials.jsonl")
    assert len(rows) == len({r["config_hash"] for r in rows}) <= len(made) == 6
    for row in rows:
        assert (row["stage"], row["market"]) == ("tune", "m")
        assert set(row["parameters"]) == {"boost.min_data", "boost.leaves"}
        assert trials.place(folder / "trials.jsonl", "m", row["config_hash"]).exists()
    known = trials.snapshot(folder / "trials.jsonl", "m", "own")
    assert known.others == () and len(known.tuned) == len(rows)
    assert known.digest() != trials.Trials("own").digest()


def test_a_second_run_goes_on_with_what_is_left_and_a_longer_one_with_more(found, tmp_path):
    _, made, *_ = found
    run(tmp_path, asked=config(trials=3))
    more, *_ = run(tmp_path)
    same = [c for c in made.columns if c != "seconds"]
    pd.testing.assert_frame_equal(more[same], made[same], check_exact=True)
    assert more["seconds"].iloc[0] == trials_seconds(tmp_path)


def trials_seconds(folder) -> float:
    import sqlite3

    file = sqlite3.connect(folder / "tune.db")
    asked = "select value_json from trial_user_attributes where key='seconds' order by trial_id"
    rows = file.execute(asked).fetchall()
    file.close()
    return float(rows[0][0])


def test_what_comes_after_the_first_prediction_changes_nothing(found, tmp_path):
    """The future garbled: the same study, trial by trial, to the last bit."""
    _, made, *_ = found
    last = np.datetime64(trials.read(found[0] / "trials.jsonl")[0]["labels_until"])
    garbled = {k: v.copy() for k, v in PLANTED.items()}
    late = garbled["labels"]["end"] > last
    assert late.mean() > 0.1
    garbled["labels"].loc[late, ["raw", "label"]] *= -7.0
    rows = garbled["features"]["date"] > last
    drawn = generator(42, "tests", "garbled").normal(size=(int(rows.sum()), 4))
    garbled["features"].loc[rows, [f"f{j}" for j in range(4)]] = drawn.astype(np.float32)
    other, *_ = run(tmp_path, garbled)
    same = [c for c in made.columns if c != "seconds"]
    pd.testing.assert_frame_equal(other[same], made[same], check_exact=True)
    names = [{r["study"] for r in trials.read(f / "trials.jsonl")} for f in (found[0], tmp_path)]
    assert names[0] == names[1]


def test_other_data_another_space_or_another_market_is_another_study(found, tmp_path):
    own = {r["study"] for r in trials.read(found[0] / "trials.jsonl")}
    for k, (given, asked) in enumerate(
        [
            (market(seed=2), config(trials=1)),
            (PLANTED, config({"boost": {"leaves": {"low": 3, "high": 16}}}, trials=1)),
        ]
    ):
        run(tmp_path / str(k), given, asked)
        own |= {r["study"] for r in trials.read(tmp_path / str(k) / "trials.jsonl")}
    assert len(own) == 3


def test_nothing_is_found_where_there_is_nothing(tmp_path):
    space = {"boost": {"min_data": {"low": 20, "high": 200}, "leaves": {"low": 3, "high": 15}}}
    asked = config(space, trials=5, random=5)
    made, spent, _ = run(tmp_path, market(strength=0.0, seed=3), asked)
    assert spent["tune.best.dsr"] < 0.9 and abs(spent["tune.best.rank_ic"]) < 0.06
    assert spent["tune.ideas"] > 1 and spent["tune.expected_max_sharpe"] > 0
    assert (made["dsr"] < made["psr"]).all() and made["dsr_then"][0] == made["psr"][0]


def test_models_are_not_chosen_inside_a_hold_out(tmp_path):
    inside = settings.Holdout(start="2010-09-01", read=True)
    with pytest.raises(ConfigError, match="inside the hold-out from 2010-09-01"):
        run(tmp_path, asked=config(holdout=inside))
    assert not (tmp_path / "trials.jsonl").exists()


def test_a_sample_too_short_for_the_first_prediction_is_refused(tmp_path):
    with pytest.raises(DataError, match="min_train_years"):
        run(tmp_path, market(n_days=200))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"boost": {"leaves": {"low": 15, "high": 3}}}, "low=15 is not below high=3"),
        ({"boost": {"leafs": {"low": 3, "high": 15}}}, "boost.leafs is no setting"),
        ({"boost": {"learning_rate": {"low": 0.1, "high": 3.0}}}, "learning_rate=3 is outside"),
        ({"label": {"horizon": {"low": 5, "high": 21}}}, "label.horizon is no setting"),
        ({"boost": {"cpcv_rounds": {"low": 5, "high": 21}}}, "cpcv_rounds is no setting"),
    ],
)
def test_a_bad_space_is_refused_before_anything_is_read(space, message):
    with pytest.raises(ConfigError, match=message):
        config(space)


def test_a_space_of_absent_models_is_refused_before_anything_is_tried(tmp_path):
    with pytest.raises(ConfigError, match="nothing to search for these models"):
        run(tmp_path, asked=config({"ridge_penalty": {"low": 0.1, "high": 1.0}}))
    assert not (tmp_path / "tune.db").exists()


# -- what the evaluation of a backtest makes of it ---------------------------------------------


def tuned_until(*days: str) -> trials.Trials:
    known = tuple(trials.Tuned(f"t{k}", f"tune {k}", day) for k, day in enumerate(days))
    return trials.Trials("own", tuned=known)


def test_what_was_tried_before_the_backtest_is_shown_and_not_in_its_n():
    alone = evaluated()["portfolio"]
    before = evaluated(tuned_until("2014-12-31", "2014-11-28"))["portfolio"]
    assert (before["n_tuned"], before["n_tuned_inside"]) == (2, 0)
    assert before["dsr"] == alone["dsr"] and before["n_configs"] == 1


def test_what_looked_at_the_backtest_counts_in_its_n():
    found = evaluated(tuned_until("2014-12-31", str(DAYS[50].date())))
    assert (found["portfolio"]["n_tuned_inside"], found["portfolio"]["n_trials"]) == (1, 2)
    assert len(found["trials"]) == 2


# -- the page --------------------------------------------------------------------------------


def test_the_page_names_the_best_and_holds_every_trial(found):
    _, made, spent, text = found
    inputs = TuneInputs(
        title="US equity, settings of Model 2", region="us", git_sha="abc", config_hash="def",
        command="quant stage=tune", simulated=True, rows=made,
        override=tune.override(best(made, spent)), file=text, ideas=int(spent["tune.ideas"]),
        luck=spent["tune.expected_max_sharpe"], horizon=H, models=("lightgbm",),
    )  # fmt: skip
    page = render(inputs)
    sound(page)
    assert f"Trial {int(spent['tune.best.number'])} is best: its spread is more than luck" in page
    assert "model2.boost.min_data=20" in page and "Trials (6)" in page
    assert render(inputs) == page
    assert "its spread may be luck" in render(replace(inputs, rows=made.assign(dsr=0.6)))
    assert "no trial shows more than luck" in render(replace(inputs, rows=made.assign(dsr=0.4)))
    assert "The settings as they stand (trial 0)" in render(replace(inputs, present=True))
    assert "as they stand" not in page
    failed = made.iloc[[0]].assign(number=9, state="failed", sharpe=np.nan, dsr=np.nan)
    assert "Trials (6)" in render(replace(inputs, rows=pd.concat([made, failed])))
