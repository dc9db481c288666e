"""Every reference case of topics 1 (Sharpe statistics) and 2 (CPCV), straight from its file."""

import csv
import json
from math import comb

import numpy as np
import pytest

from quant.evaluation import metrics as m
from quant.evaluation.overfit import cscv
from quant.evaluation.splits import cpcv, paths
from tests.shared import need

FULL = 1e-9


def dsr_of_the_published_example(case):
    i, expected = case["inputs"], case["expected"]
    year = i["obs_per_year"]
    series = m.Shape(i["sr_annual"] / year**0.5, i["T"], i["skew"], i["kurtosis_nonexcess"])
    best = m.expected_max_sharpe(i["n_trials"], i["var_trial_sr_annual"] / year)
    found = m.dsr(series, i["n_trials"], i["var_trial_sr_annual"] / year)
    assert (series.sharpe, best, found) == pytest.approx(
        [expected["full_precision"][k] for k in ("sr_daily", "SR0_daily", "DSR")], abs=FULL
    )
    published = expected["published"]
    assert (best, found) == pytest.approx((published["SR0_daily"], published["DSR"]), abs=5e-5)
    assert min(abs(found - wrong) for wrong in expected["must_not_equal"].values()) > 1e-6


def expected_maximum(case):
    for row in case["expected"]["table"]:
        found = m.expected_max_sharpe(row["N"], case["inputs"]["V"])
        assert found == pytest.approx(row["formula"], abs=FULL)
        assert row["N"] < 5 or abs(found - row["exact"]) < 0.05
    assert m.expected_max_sharpe(1, case["inputs"]["V"]) == 0


def minimum_track_record(case):
    i = case["inputs"]
    for row in case["expected"]["rows"]:
        asked = next(r for r in i["rows"] if r["name"] == row["name"])
        year = asked["obs_per_year"]
        shape = (asked["skew"], asked["kurtosis"])
        series = m.Shape(i["sr_annual"] / year**0.5, 0, *shape)
        base = i["benchmark_sr_annual"] / year**0.5
        found = m.min_track_record(series, base, i["alpha"])
        assert found == pytest.approx(row["n_obs"], rel=FULL)
        assert found / year == pytest.approx(row["published_years"], abs=0.005)
        reached = m.Shape(series.sharpe, found, *shape)
        assert m.psr(reached, base) == pytest.approx(1 - i["alpha"], abs=1e-12)


def pbo_of_480_periods(case):
    i, expected = case["inputs"], case["expected"]
    returns = np.loadtxt(need(f"cases/{i['csv']}"), delimiter=",", skiprows=1)
    found, ten = cscv(returns, i["S"]), expected["N10"]
    assert len(found.logits) == expected["n_combinations"]
    assert found.pbo == ten["pbo"]
    assert (found.best + 1).tolist() == ten["is_best_1based"]
    assert found.rank.tolist() == ten["oos_rank"]
    assert np.median(found.logits) == pytest.approx(ten["median_logit"], abs=1e-12)
    assert found.loss == ten["prob_oos_loss"]
    nine = cscv(returns[:, :9], i["S"]).pbo
    assert nine == expected["N9"]["pbo_rank_over_N_plus_1"]
    assert nine != expected["N9"]["pbo_rank_over_N_Rpbo"]


def pbo_by_hand(case):
    ties = (0.4054651081081644, 0.8472978603872034, 1.3862943611198906)  # all legal in A
    for name, key in (("A", "A_rank_reversal"), ("B", "B_consistent_winner")):
        returns = np.column_stack(list(case["inputs"][key].values()))
        found = cscv(returns, case["inputs"]["S"], case["inputs"]["performance"])
        expected = case["expected"][name]
        assert found.pbo == expected["pbo"]
        for k, (ours, theirs) in enumerate(
            zip(found.logits, expected["logits_N_plus_1"], strict=True)
        ):
            legal = ties if name == "A" and 0 < k < 5 else (theirs,)
            assert min(abs(ours - v) for v in legal) < 1e-12


def psr_of_the_published_example(case):
    i, expected = case["inputs"], case["expected"]
    ratio = i["mean"] / i["sd"]
    fat = m.psr(m.Shape(ratio, i["T"], i["skew"], i["kurtosis_nonexcess"]), i["benchmark_sr"])
    normal = m.psr(m.Shape(ratio, i["T"]), i["benchmark_sr"])
    full, published = expected["full_precision_from_mean_over_sd"], expected["published"]
    names = ("PSR_nonnormal", "PSR_if_normal")
    assert (fat, normal) == pytest.approx([full[k] for k in names], abs=FULL)
    assert (fat, normal) == pytest.approx([published[k] for k in names], abs=1.5e-3)
    assert ratio == pytest.approx(full["SR"], abs=FULL)


def the_convention_is_that_of_2014(case):
    i = case["inputs"]
    series = m.Shape(i["mean"] / i["sd"], i["T"], i["skew"], i["kurtosis_nonexcess"])
    found = {
        "PSR0": m.psr(series),
        "PSR_0p1": m.psr(series, 0.1),
        "DSR": m.dsr(series, i["K"], i["var_trials"]),
    }
    ours, later = case["expected"]["convention_2014"], case["expected"]["convention_2025"]
    assert found == pytest.approx(ours, abs=FULL)
    assert all(abs(found[k] - later[k]) > 0.05 for k in ("PSR0", "PSR_0p1"))
    best = m.expected_max_sharpe(i["K"], i["var_trials"])
    assert best == pytest.approx(later["Emax_K10_V0p1"], abs=FULL)


def splits_and_paths(case):
    i, expected = case["inputs"], case["expected"]
    day = np.arange(10 * i["N"])
    splits = cpcv(day, day, i["N"], i["k"], embargo=0)
    assert len(splits) == expected["n_splits"]
    assert [list(s.test_groups) for s in splits] == expected["splits_test_groups"]
    assert [list(s.paths) for s in splits] == expected["path_id_per_split"]
    table = paths(i["N"], i["k"])
    assert len(table) == expected["n_paths"]
    assert table.tolist() == expected["path_groups_from_split"]
    tested = np.bincount([g for s in splits for g in s.test_groups])
    assert set(tested) == {expected["each_group_tested_in"]}


def number_of_splits_and_paths(rows):
    assert len(rows) > 50
    for row in rows:
        n, k = int(row["N"]), int(row["k"])
        table = paths(n, k)
        assert (comb(n, k), len(table)) == (int(row["n_splits"]), int(row["n_paths"]))
        assert np.unique(table).tolist() == list(range(comb(n, k)))


def purge_and_embargo(case):
    i, expected = case["inputs"], case["expected"]
    day = np.arange(i["T"])
    splits = cpcv(day, day + i["label_horizon"], i["N"], i["k"], i["embargo"])
    assert [s.train.size for s in splits] == expected["train_sizes"]
    for found, wanted in zip(splits, expected["splits"], strict=True):
        assert list(found.test_groups) == wanted["test_groups"]
        assert found.train.tolist() == wanted["train"]
        assert [[g[0], g[-1]] for g in found.groups] == wanted["test_first_last"]


CASES = {
    "01_dsr_blp2014_N100.json": dsr_of_the_published_example,
    "01_expected_max_sr_table.json": expected_maximum,
    "01_mintrl_blp2012.json": minimum_track_record,
    "01_pbo_cscv_480x10.json": pbo_of_480_periods,
    "01_pbo_small_exact.json": pbo_by_hand,
    "01_psr_blp2012_hedgefund.json": psr_of_the_published_example,
    "01_psr_convention_discriminator.json": the_convention_is_that_of_2014,
    "02_cpcv_N6_k2_paths.json": splits_and_paths,
    "02_cpcv_phi_table.csv": number_of_splits_and_paths,
    "02_cpcv_purge_embargo_T60.json": purge_and_embargo,
}
DATA = {"01_pbo_D_480x10.csv"}  # of 01_pbo_cscv_480x10


@pytest.mark.parametrize("name", CASES)
def test_the_case_of(name):
    text = need(f"cases/{name}").read_text()
    CASES[name](
        json.loads(text) if name.endswith("json") else list(csv.DictReader(text.splitlines()))
    )


def test_no_case_of_these_topics_is_left_out():
    there = {p.name for p in need("cases").iterdir() if p.name.startswith(("01_", "02_"))}
    assert there <= CASES.keys() | DATA
