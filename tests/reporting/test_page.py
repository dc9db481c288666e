"""The page as a whole: escaped, the same every time, small, complete without anything else."""

import base64
import hashlib
import re
from dataclasses import replace
from xml.etree import ElementTree

import jinja2
import pandas as pd
import pytest

from quant.reporting.inputs import COLUMNS
from quant.reporting.page import environment, render
from quant.reporting.sections import SECTIONS
from tests.reporting import sample
from tests.reporting.pages import NASTY, parse


@pytest.fixture(scope="module")
def inputs():
    return sample.full(names=12, years=1.5)


@pytest.fixture(scope="module")
def page(inputs):
    return render(inputs)


def test_the_same_inputs_give_the_same_bytes(page):
    assert render(sample.full(names=12, years=1.5)) == page


def test_shuffled_rows_give_the_same_bytes(inputs, page):
    """Row order is no information, except for notes, which are shown as they stand."""
    frames = {
        name: getattr(inputs, name).sample(frac=1, random_state=1)
        for name in COLUMNS
        if name != "notes"
    }
    assert render(replace(inputs, **frames)) == page


def test_it_is_small():
    assert len(render(sample.full(names=300, years=15)).encode()) < 1_500_000


def test_it_is_well_formed_and_its_ids_are_unique(page):
    parser = parse(page)
    assert len(parser.ids) == len(set(parser.ids))
    assert {"svg", "table", "details", "nav"} <= set(parser.tags)


def test_every_drawing_is_valid_and_named(page):
    drawings = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(drawings) >= 30
    for text in drawings:
        root = ElementTree.fromstring(text)
        names = {child.get("id"): child.text for child in root if child.tag in {"title", "desc"}}
        wanted = root.get("aria-labelledby").split()
        assert root.get("role") == "img" and all(names[i] for i in wanted)
        assert "nan" not in text.lower().replace("finance", "").replace("financ", "")


def test_it_needs_nothing_from_outside(page):
    assert "<script" not in page and "javascript:" not in page
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!#)", page)
    assert "@import" not in page and "url(" not in page and "://" not in page
    assert " style=" not in page  # the policy would refuse it


def test_the_policy_admits_exactly_the_style_sheet(page):
    css = re.search(r"<style>(.*?)</style>", page, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert f"style-src &#39;sha256-{digest}&#39;" in policy
    assert policy.startswith("default-src &#39;none&#39;")


def test_every_text_is_escaped():
    whole = sample.full(names=8, years=2)
    swaps = {
        "weights": whole.weights.assign(symbol=NASTY + whole.weights["symbol"]),
        "membership": whole.membership.assign(
            symbol=NASTY + whole.membership["symbol"], group_id=NASTY
        ),
        "solves": whole.solves.assign(reason=NASTY, solver=NASTY, status=NASTY, relaxed=True),
        "bindings": whole.bindings.assign(cause=NASTY, relaxed=True),
        "fills": whole.fills.assign(reason=NASTY, shares=0.0),
        "universe_counts": whole.universe_counts.assign(rule=NASTY + whole.universe_counts["rule"]),
        "quality": whole.quality.assign(check=NASTY, severity=NASTY, symbol=NASTY),
        "notes": pd.DataFrame({"topic": [NASTY], "text": [NASTY]}),
        "folds": whole.folds.assign(model=NASTY),
        "cpcv": whole.cpcv.assign(model=NASTY),
        "benchmark": whole.benchmark.assign(name=NASTY),
        "metrics": whole.metrics.assign(unit=NASTY),
        "trials": whole.trials.assign(name=NASTY),
        "comparisons": whole.comparisons.assign(other=["benchmark", NASTY]),
        "survivorship": whole.survivorship.assign(hazard=NASTY + whole.survivorship["hazard"]),
        "risk_scores": whole.risk_scores.assign(
            kind=whole.risk_scores["kind"].replace("book", NASTY), verdict=NASTY
        ),
        "states": whole.states.assign(industry_id=NASTY + whole.states["industry_id"]),
        "parent_states": whole.parent_states.assign(
            node_id=whole.parent_states["node_id"].replace("Energy", NASTY)
        ),
        "indices": whole.indices.assign(
            node_id=whole.indices["node_id"].where(
                whole.indices["level"] != "industry", NASTY + whole.indices["node_id"]
            )
        ),
        "breaks": whole.breaks.assign(stream=NASTY),
        "hmm_fits": whole.hmm_fits.assign(kind=NASTY),
        "attribution": whole.attribution.assign(flag=NASTY),
        "tca_orders": whole.tca_orders.assign(symbol=NASTY, reason=NASTY),
        "exec_styles": whole.exec_styles.assign(scenario=NASTY),
        "exec_gate": whole.exec_gate.assign(scenario=NASTY, verdict=NASTY),
        "cost_fits": whole.cost_fits.assign(style=NASTY),
        "holdout": sample.holdout(rows=sample.holdout().rows.assign(user=NASTY, kind=NASTY)),
        "meta": sample.meta(
            title=NASTY,
            sprint=NASTY,
            provider=NASTY,
            config_yaml=NASTY,
            command=NASTY,
            conventions=(NASTY,),
            versions={NASTY: NASTY},
            model_seeds={NASTY: 1},
            benchmark_label=NASTY,
            run_id=NASTY,
        ),
    }
    page = render(replace(whole, **swaps))
    assert "<script" not in page and "&lt;script&gt;" in page
    parse(page)
    for text in re.findall(r"<svg.*?</svg>", page, re.S):
        ElementTree.fromstring(text)


def test_empty_inputs_give_a_page_that_says_so():
    page = render(sample.empty())
    parse(page)
    assert "No comparison can be made" in page
    assert page.count('class="empty"') >= 10
    assert "<svg" not in page


@pytest.mark.parametrize("name", list(COLUMNS))
def test_each_frame_may_be_missing(inputs, name):
    parse(render(replace(inputs, **{name: pd.DataFrame()})))


@pytest.mark.parametrize("name", list(COLUMNS))
def test_each_frame_may_come_alone(inputs, name):
    parse(render(replace(sample.empty(), **{name: getattr(inputs, name)})))


@pytest.mark.parametrize("name", list(COLUMNS))
def test_each_frame_may_have_a_single_row(inputs, name):
    parse(render(replace(inputs, **{name: getattr(inputs, name).head(1)})))


def test_a_short_window_has_no_rolling_figures():
    page = render(sample.full(names=6, years=0.2))
    assert "Rolling figures need more than 252 sessions" in page


def test_an_unknown_name_in_a_template_fails():
    with pytest.raises(jinja2.UndefinedError):
        environment().from_string("{{ nothing_of_that_name }}").render()


def test_simulated_data_are_marked_everywhere(inputs, page):
    real = render(replace(inputs, meta=sample.meta(simulated=False, provider="files")))
    assert "<title>SIMULATED: " in page and 'class="ribbon"' in page
    drawings = re.findall(r"<svg.*?</svg>", page, re.S)
    assert all(">SIMULATED</text>" in d for d in drawings)
    assert "SIMULATED" not in real and 'class="ribbon"' not in real


def test_missing_metrics_are_dashes_not_failures(inputs):
    few = inputs.metrics[inputs.metrics["metric"] == "ann_vol"]
    page = render(replace(inputs, metrics=few))
    assert '<dd class="big">–</dd>' in page and '<dd class="big">11.4%</dd>' in page


def test_headline_numbers_come_from_the_metrics_table(inputs):
    swapped = inputs.metrics.copy()
    here = (swapped["book"] == "portfolio") & (swapped["metric"] == "sharpe")
    swapped.loc[here, "value"] = 7.77
    assert '<dd class="big">7.77</dd>' in render(replace(inputs, metrics=swapped))


def test_every_section_has_a_key_of_its_own(inputs):
    keys = [build(inputs).key for build in SECTIONS]
    assert len(keys) == len(set(keys)) == 14
