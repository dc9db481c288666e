"""What changed under conf/, by meaning, and whether the changelog tells it."""

import shutil

import pytest

from quant.config import compositions
from quant.config_paths import CONF
from quant.core.errors import ConfigError
from quant.governance.changes import Change, changes, entries, unlogged

BEFORE = {"region=us": {"optimizer.tau": 0.2, "rl.enabled": False},
          "region=us rl=ppo": {"optimizer.tau": 0.2, "rl.enabled": True}}  # fmt: skip
TAU = Change("optimizer.tau", "0.2", "0.1", ("region=us", "region=us rl=ppo"))


def edited(choice: str, key: str, value: object) -> dict[str, dict[str, object]]:
    return {c: {**v, key: value} if choice in c else v for c, v in BEFORE.items()}


def test_nothing_changed_is_nothing():
    assert changes(BEFORE, BEFORE) == []


def test_a_value_is_told_once_with_everyone_who_sees_it():
    assert changes(BEFORE, edited("region=us", "optimizer.tau", 0.1)) == [TAU]
    (one,) = changes(BEFORE, edited("rl=ppo", "optimizer.tau", 0.1))
    assert one.where == ("region=us rl=ppo",)


def test_types_count_and_ways_of_writing_a_number_do_not():
    assert changes(BEFORE, edited("region=us", "optimizer.tau", 2e-1)) == []
    (one,) = changes({"a": {"x": 1}}, {"a": {"x": True}})
    assert (one.old, one.new) == ("1", "true")


def test_new_and_lost_keys_and_choices():
    after = {"region=us": {"optimizer.tau": 0.2, "rl.enabled": False, "rl.seeds": 5},
             "region=us rl=sac": BEFORE["region=us rl=ppo"]}  # fmt: skip
    found = {c.key: (c.old, c.new) for c in changes(BEFORE, after)}
    assert found == {
        "rl.seeds": ("none", "5"), "rl=ppo": ("there", "none"), "rl=sac": ("none", "new"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("- `optimizer.tau` (0.2 → 0.1): fewer trades", True),
        ("- `tau`, of the optimizer (0.20 → 1e-1):\n  fewer trades", True),
        ("- `optimizer.tau`: was 0.2, is 0.1.", True),
        ("- `optimizer.tau` (0.2 → 0.15): fewer trades", False),  # another value
        ("- `optimizer.tau`: fewer trades", False),  # no values
        ("- optimizer.tau (0.2 → 0.1): fewer trades", False),  # not named as a key
        ("- `my_optimizer.tau` (0.2 → 0.1)", False),  # another key
        ("- `optimizer` (0.2 → 0.1)", False),  # a part tells no value of it
        ("`optimizer.tau` (0.2 → 0.1)", False),  # no entry
    ],
)
def test_an_entry_names_key_old_and_new(entry, told):
    before = "# Changelog\n\n- `other` (1 → 2): old news\n"
    assert (unlogged([TAU], before, f"{before}\n{entry}\n") == []) is told
    # what was there before tells nothing new
    assert unlogged([TAU], f"{before}\n{entry}\n", f"{before}\n{entry}\n") == [TAU]


def test_a_value_that_changed_twice_is_told_by_two_entries():
    text = "- `tau` (0.2 → 0.15): fewer trades\n- `tau` (0.15 → 0.1): fewer still\n"
    assert unlogged([TAU], "", text) == []


@pytest.mark.parametrize("key", ["rl.ppo.lr", "rl.looks"])
def test_what_is_new_may_be_named_by_its_part(key):
    new = [Change(key, "none", "5", ("region=us",))]
    assert unlogged(new, "", "- `rl`, new: the controller\n") == []
    assert unlogged(new, "", "- `rl=disabled | ppo`, new: the controller\n") == []
    assert unlogged(new, "", "- `costs`, new\n") == new


def test_a_new_choice_is_named_itself():
    new = [Change("rl=ppo", "none", "new", ("region=us rl=ppo",))]
    assert unlogged(new, "", "- `rl=disabled | ppo`, new: the controller\n") == []
    assert unlogged(new, "", "- `rl=disabled`, new: the controller\n") == new


def test_an_entry_goes_on_with_its_indented_lines():
    text = "# A\n\n- one\n  two\n\n  three\n- four\n\nA paragraph\n  five\n"
    assert entries(text) == ["one two three", "four"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small conf/: two regions, two groups, an experiment."""
    root = tmp_path_factory.mktemp("conf")
    texts = {
        "config.yaml": "defaults:\n  - schema\n  - costs: fixed\n  - region: us\n"
        "  - experiment: null\n  - _self_\nseed: 42\n",
        "region/us.yaml": "name: us\n", "region/cn.yaml": "name: cn\n",
        "costs/fixed.yaml": "# a comment\nbp: 10\nslope: 0.5\n",
        "costs/fitted.yaml": "bp: 12\nslope: 0.5\n",
        "experiment/dear.yaml": "# @package _global_\ncosts: {bp: 20}\n",
    }  # fmt: skip
    for name, text in texts.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return root, compositions(root)


@pytest.fixture
def other(small, tmp_path):
    shutil.copytree(small[0], tmp_path / "conf")
    return tmp_path / "conf", small[1]


def test_every_choice_is_composed_once_for_each_region(small):
    assert set(small[1]) == {
        f"region={r}{c}" for r in ("us", "cn")
        for c in ("", " costs=fixed", " costs=fitted", " experiment=dear")
    }  # fmt: skip
    assert small[1]["region=cn experiment=dear"] == {
        "seed": 42, "costs.bp": 20, "costs.slope": 0.5, "region.name": "cn",
    }  # fmt: skip


def test_comments_order_and_places_do_not_count(other):
    conf, before = other
    (conf / "costs/fixed.yaml").write_text("slope: 0.5   # first\nbp: 10\n")
    assert changes(before, compositions(conf)) == []
    # `slope` moves out of both choices into what both begin with
    (conf / "costs/fixed.yaml").write_text("defaults: [base]\nbp: 10\n")
    (conf / "costs/fitted.yaml").write_text("defaults: [base]\nbp: 12\n")
    (conf / "costs/base.yaml").write_text("slope: 0.5\n")
    assert [c.key for c in changes(before, compositions(conf))] == ["costs=base"]


def test_a_value_is_found_where_it_is_seen(other):
    conf, before = other
    (conf / "costs/fixed.yaml").write_text("bp: 11\nslope: 0.5\n")
    (one,) = changes(before, compositions(conf))
    assert (one.key, one.old, one.new) == ("costs.bp", "10", "11")
    # the experiment sets its own, and the other choice too
    assert set(one.where) == {
        "region=us", "region=cn", "region=us costs=fixed", "region=cn costs=fixed",
    }  # fmt: skip


def test_what_can_not_be_composed_says_so(other):
    (other[0] / "experiment/dear.yaml").write_text("costs: ${\n")
    with pytest.raises(ConfigError, match="can not be composed"):
        compositions(other[0])


@pytest.mark.slow
def test_the_project_s_own_choices_compose():
    found = compositions(CONF)
    assert {"region=us rl=ppo", "region=cn experiment=rehearsal"} <= set(found)
    assert found["region=us rl=ppo"]["rl.enabled"] is True
