"""Model cards: complete, rendered from the run, and refused where a field says nothing."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from quant.core.errors import ReportError
from quant.governance import cards
from quant.optimizer.knobs import BOUNDS
from quant.reporting.sections import regimestates, regimeworth
from quant.rl.observation import FEATURES
from tests.reporting import sample

CONFIG = """\
universe: {size: 800}
rl: {reward: {kind: research}, splits: {val_end: 2016-12-30}}
"""


@pytest.fixture(scope="module")
def source():
    inputs = sample.full(names=12, years=1.5)
    inputs = replace(inputs, meta=replace(inputs.meta, config_yaml=CONFIG))
    return cards.Source(inputs, {"bars": "0123456789abcdef" * 4}, FEATURES)


@pytest.fixture(scope="module")
def rendered(source):
    pictures: dict[str, dict] = {name: {} for name in cards.MODELS}
    return {name: cards.render(name, source, pictures[name]) for name in cards.MODELS}, pictures


def field(card, name):
    return card.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0].strip()


@pytest.mark.parametrize("model", cards.MODELS)
def test_a_card_has_every_field_in_order(rendered, model):
    card = rendered[0][model]
    assert re.findall(r"^## (.+)$", card, re.MULTILINE) == list(cards.FIELDS)
    assert cards.lacks(card) == []
    assert "0123456789abcdef |" in field(card, "Data")


@pytest.mark.parametrize("model", cards.MODELS)
def test_what_it_says_is_the_run_s_own(rendered, source, model):
    card, meta = rendered[0][model], source.report.meta
    run = field(card, "Run")
    assert meta.config_hash in run and meta.git_sha in run
    assert f"{meta.start} to {meta.end}" in card


@pytest.mark.parametrize("model", cards.MODELS)
def test_every_picture_is_there_and_stands_alone(rendered, model):
    card, pictures = rendered[0][model], rendered[1][model]
    named = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", card)
    assert {f"{model}_us/{name}" for name in pictures} == set(named)
    for drawn in pictures.values():
        root = ElementTree.fromstring(drawn)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox")
        assert root[0].tag.endswith("style")


@pytest.mark.parametrize("name", cards.FIELDS)
def test_a_field_that_is_missing_or_empty_is_named(rendered, name):
    card = rendered[0]["model2"]
    body = field(card, name)
    assert cards.lacks(card.replace(f"## {name}\n", "## Other\n")) == [name]
    assert cards.lacks(card.replace(body, "", 1)) == [name]


def test_a_card_with_an_empty_field_is_not_rendered(source, monkeypatch):
    made = cards._BUILD["model1"]
    monkeypatch.setitem(cards._BUILD, "model1", lambda s: {**made(s), "Calibration": ()})
    with pytest.raises(ReportError, match="says nothing under Calibration"):
        cards.render("model1", source, {})


def test_model_2_names_its_features_labels_and_scheme(rendered, source):
    card, inputs = rendered[0]["model2"], source.report
    assert f"**{inputs.importance['feature'].nunique()} features**" in card
    for family in inputs.importance["family"].unique():
        assert f"| {family} |" in field(card, "Inputs")
    assert "Paths" in field(card, "Validation") and "cpcv.svg" in field(card, "Validation")
    windows = field(card, "Training windows")
    assert all(str(seed) in windows for seed in inputs.folds["seed"].head(3))
    assert "calibration.svg" in field(card, "Calibration")


def test_the_controller_s_card_names_observations_and_bounds(rendered):
    card = rendered[0]["rl_policy"]
    inputs = field(card, "Inputs").replace("\\", "")
    assert all(name in inputs for name in FEATURES)
    outputs = field(card, "Outputs").replace("\\", "")
    for name, (low, high) in BOUNDS.items():
        assert f"| {name} | {low:g} | {high:g} |" in outputs
    assert "gate" in field(card, "Purpose") and "controller-looks.svg" in field(card, "Validation")


def test_signs_of_markdown_in_a_text_stay_text(source):
    notes = source.report.notes.head(1).assign(text="a|b *c* <d> [e](f)")
    card = cards.render("model1", replace(source, report=replace(source.report, notes=notes)), {})
    assert r"a\|b \*c\* \<d\> \[e\](f)" in card


def test_only_models_of_the_run_get_a_card(source):
    none = replace(source.report, policy_info=source.report.policy_info.head(0))
    assert cards.wanted(source.report) == cards.MODELS
    assert cards.wanted(none) == ("model1", "model2")


def test_the_books_by_state_use_yesterday_s_state(source):
    """By hand: the mean return of the sessions whose eve had the state."""
    inputs = source.report
    states = regimestates.market_states(inputs)
    nav = inputs.nav[inputs.nav["book"] == "portfolio"].set_index("date")["nav"].sort_index()
    days = list(states.index)
    by_hand = {}
    for eve, today in zip(days, days[1:], strict=False):
        before = nav.index[nav.index < today]
        if today in nav.index and len(before):
            by_hand.setdefault(states[eve], []).append(nav[today] / nav[before[-1]] - 1)
    block = regimeworth.by_state(inputs)
    rows = {row[1].text: row[2].text for row in block.rows if row[0].text == "portfolio"}
    assert {k: f"{len(v):,}" for k, v in by_hand.items() if len(v) > 1} == rows
