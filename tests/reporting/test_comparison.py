"""The page of a sweep: every job against the first, legible with fifty."""

from dataclasses import replace

import numpy as np
import pytest

from quant.core.errors import ReportError
from quant.reporting.comparison import render
from quant.reporting.formats import number, points
from quant.reporting.jobs_answer import said
from quant.reporting.sections import jobtables, sweep
from tests.reporting import sample
from tests.reporting.pages import NASTY, sound


@pytest.fixture(scope="module")
def inputs():
    return sample.comparison(12)


@pytest.mark.parametrize("jobs", [1, 2, 12, 50])
def test_any_number_of_jobs(jobs):
    inputs = sample.comparison(jobs)
    page = render(inputs)
    sound(page)
    assert len(page) < 250_000 and render(sample.comparison(jobs)) == page
    for label in inputs.jobs["label"]:
        assert label in page


def test_the_answer_counts_the_verdicts(inputs):
    answer = said(inputs)
    assert answer.headline == "2 of 11 jobs are distinguishable from the base"
    text = " ".join(answer.sentences)
    assert "BETTER: optimizer.risk_aversion=1 (+0.40" in text
    assert "WORSE: optimizer.risk_aversion=11 (−0.40" in text
    assert "below 0.49 could have gone unnoticed in 4.0 years" in text


def test_the_farthest_are_named_first():
    """The best of the better and the worst of the worse, though more are found."""
    text = " ".join(said(sample.comparison(50)).sentences)
    assert "BETTER: optimizer.risk_aversion=1 (+0.40" in text
    assert "WORSE: optimizer.risk_aversion=49 (−0.40" in text


def test_the_base_comes_first_then_the_best(inputs):
    ranked = inputs.ranked["sharpe"].to_list()
    assert inputs.ranked["label"].iloc[0] == inputs.base
    assert ranked[1:] == sorted(ranked[1:], reverse=True) and ranked[1] > ranked[0]


def test_nothing_found_is_inconclusive(inputs):
    none = replace(inputs, pairs=inputs.pairs.assign(verdict="INCONCLUSIVE"))
    assert said(none).headline.startswith("INCONCLUSIVE: no job of 11")
    assert said(none).tone == "fair"


def test_without_pairs_nothing_is_claimed(inputs):
    alone = replace(inputs, pairs=inputs.pairs.iloc[:0])
    assert said(alone).tone == "none"
    sound(render(alone))


def test_deltas_are_job_less_base(inputs):
    table = jobtables.deltas(inputs)
    assert table.rows[0][0].text == inputs.base
    rows = {r[0].text: r for r in table.rows}
    job, base = inputs.jobs.iloc[3], inputs.jobs.iloc[0]
    assert rows[job["label"]][1].text == number(job["sharpe"])
    assert rows[job["label"]][3].text == points(job["ann_return"] - base["ann_return"])
    assert rows[job["label"]][7].text == "+3 bp"


def test_curves_are_the_base_and_the_farthest(inputs):
    drawn = sweep._drawn(inputs)
    assert drawn[0] == inputs.base and len(drawn) == sweep.CURVES + 1
    assert {"optimizer.risk_aversion=1", "optimizer.risk_aversion=11"} <= set(drawn)
    assert "6 jobs between them are left out" in render(inputs)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("optimizer.vol_target.base=0.1", "base=0.1"),
        ("costs.multiplier=2, optimizer.gamma=4", "multiplier=2, gamma=4"),
        ("as given", "as given"),
        ("data.root=" + "x" * 40 + "/v7", "…" + "x" * 20 + "/v7"),
    ],
)
def test_a_long_label_keeps_what_tells_jobs_apart(name, short):
    assert sweep._short(name) == short


@pytest.mark.parametrize(
    ("pbo", "configs", "words"),
    [(0.41, 12, "0.41"), (None, 3, "needs 10 configurations"), (None, 12, "not to be told")],
)
def test_pbo(inputs, pbo, configs, words):
    assert words in render(replace(inputs, pbo=pbo, n_configs=configs))


def test_reports_are_linked_where_there_are_any(inputs):
    page = render(inputs)
    assert page.count('<a href="../sprint0_US/report-') == 11


def test_every_text_is_escaped(inputs):
    labels = NASTY + inputs.jobs["label"]
    nasty = replace(
        inputs,
        jobs=inputs.jobs.assign(label=labels, config_hash=NASTY, report=NASTY),
        pairs=inputs.pairs.assign(book=NASTY + inputs.pairs["book"], other=labels.iloc[0]),
        curves={NASTY + k: v for k, v in inputs.curves.items()},
        notes=(NASTY,),
        **{n: NASTY for n in ("title", "command", "git_sha", "region")},
    )
    sound(render(nasty))


def test_missing_numbers_are_dashes(inputs):
    jobs = inputs.jobs.assign(dsr=np.nan, cost_bp_ann=np.nan)
    pairs = inputs.pairs.assign(low=np.nan, high=np.nan, detectable=np.nan, p_value=np.nan)
    page = render(replace(inputs, jobs=jobs, pairs=pairs))
    sound(page)
    assert ">nan" not in page


def test_what_can_not_be_compared_is_refused(inputs):
    with pytest.raises(ReportError, match="two jobs are called"):
        replace(inputs, jobs=inputs.jobs.assign(label="same"))
    with pytest.raises(ReportError, match="has no jobs"):
        replace(inputs, jobs=inputs.jobs.iloc[:0])
    with pytest.raises(ReportError, match="pairs lacks .*verdict"):
        replace(inputs, pairs=inputs.pairs.drop(columns="verdict"))
