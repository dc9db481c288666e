"""The landing page: what is newest, what asks for a look, and pages that are gone."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from quant import landing, settings
from quant.config_paths import PROJECT
from quant.core import git
from quant.core.errors import StoreError
from quant.reporting.landing import LandingInputs, concerns, newest, render
from tests.reporting.pages import sound


def row(**changes):
    base = {
        "utc": "2026-01-02T03:04:05+00:00", "kind": "report", "region": "us", "sprint": "s2",
        "provider": "files", "link": "sprint2_US/report-a.html", "git_sha": "abc1234",
        "config_hash": "0123456789ab", "ann_return": 0.1, "sharpe": 0.9, "dsr": 0.8,
        "cost_bp": 44.0, "drifted": 0.0, "review": 9.0,
    }  # fmt: skip
    return base | changes


def frame(*rows):
    return pd.DataFrame(list(rows), columns=list(landing.COLUMNS))


def shown(*rows, **changes):
    return LandingInputs(head="abc1234", pages=frame(*rows), **changes)


def test_nothing_asks_for_a_look_where_nothing_is_wrong():
    page = render(shown(row()))
    sound(page)
    assert "Nothing asks for a look" in page and "0 of 9 flagged" in page
    assert 'href="sprint2_US/report-a.html"' in page


def test_a_report_of_other_code_is_caught():
    inputs = shown(row(git_sha="fffffff"), row(region="cn", git_sha="abc1234-dirty"))
    said = concerns(inputs)
    assert len(said) == 2 and any("of code fffffff, and the checkout is abc1234" in s for s in said)
    assert "2 things ask for a look" in render(inputs)


def test_drift_asks_for_a_look():
    html = render(shown(row(drifted=2.0)))
    assert "1 thing asks for a look" in html and "2 of the leading features drifted" in html


def test_only_the_newest_of_a_region_sprint_and_provider_counts():
    old = row(git_sha="fffffff", link="old.html")
    inputs = shown(row(), old, row(region="cn", link="cn.html"), row(provider="sim", link="s.html"))
    assert list(newest(inputs.pages)["link"]) == ["cn.html", "sprint2_US/report-a.html", "s.html"]
    assert not concerns(inputs)


def test_an_empty_folder_says_what_to_do():
    page = render(LandingInputs(head="abc1234", pages=frame()))
    sound(page)
    assert "make demo writes the first one" in page


def test_other_pages_gates_cards_and_looks_are_listed():
    gates = pd.DataFrame([
        {"utc": "2026-01-05T00:00:00", "region": "cn", "verdicts": "2019 FAIL", "passes": False},
        {"utc": "2026-01-04T00:00:00", "region": "cn", "verdicts": "2018 PASS", "passes": True},
        {"utc": "2026-01-03T00:00:00", "region": "us", "verdicts": "2018 FAIL", "passes": False},
    ])  # fmt: skip
    looks = pd.DataFrame([
        {"utc": "2026-01-05T00:00:00", "user": "<ada>", "name": "run", "config_hash": "f" * 12,
         "kind": "undeclared", "span": "2018-01-01 to the end"}
    ])  # fmt: skip
    page = render(shown(
        row(), row(kind="comparison", link="comparisons/a.html"), row(kind="audit", link="b.html"),
        gates=gates, looks=looks, cards=[("Model 2, US", "../model_cards/model2_us.md")],
    ))  # fmt: skip
    sound(page)
    text = re.sub(r"<[^>]+>", " ", page)
    assert "of 2026-01-04 00:00" in text and "none has passed" in text and "2019 FAIL" in text
    assert 'href="comparisons/a.html"' in page and "Look-ahead audit" in page
    assert "&lt;ada&gt;" in page and "reached in without saying so" in page
    assert 'href="../model_cards/model2_us.md"' in page


@pytest.fixture
def config(tmp_path):
    return settings.Config(paths=settings.Paths(
        reports=str(tmp_path / "reports"), holdout=str(tmp_path / "holdout.jsonl"),
        cards=str(tmp_path / "cards"),
    ))  # fmt: skip


KNOWN = {"git_sha": "abc1234", "config_hash": "0123456789ab"}


def put(config, name):
    path = Path(config.paths.reports) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<html></html>")
    return path


def test_a_page_is_listed_until_it_is_deleted(config):
    path = put(config, "sprint2_US/report-a.html")
    landing.add(config, KNOWN, {"report": path}, [])
    index = Path(config.paths.reports) / "index.html"
    assert 'href="sprint2_US/report-a.html"' in index.read_text()
    # the report names another revision than the checkout's
    assert f"of code abc1234, and the checkout is {git.sha()}" in index.read_text()
    path.unlink()
    landing.draw(config)
    assert "sprint2_US" not in index.read_text()


def test_cards_are_listed_by_their_titles(config):
    folder = Path(config.paths.cards)
    for name in ("model2_us.md", "simulated/model1_us.md", "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# Title of {name}\n\ntext\n")
    found = landing.inputs(config).cards
    assert found == [
        ("Title of model2_us.md", "../cards/model2_us.md"),
        ("Title of simulated/model1_us.md (simulated)", "../cards/simulated/model1_us.md"),
    ]


def test_a_run_without_a_page_leaves_no_index(config):
    landing.add(config, KNOWN, {}, [])
    assert not Path(config.paths.reports).exists()


def test_a_comparison_is_listed(config):
    landing.comparison(config, put(config, "comparisons/a.html"))
    assert 'href="comparisons/a.html"' in (Path(config.paths.reports) / "index.html").read_text()


@pytest.mark.parametrize("line", ["no json", "[1]", '{"kind": "report"}'])
def test_a_damaged_line_is_named(config, line):
    landing.add(config, KNOWN, {"report": put(config, "a.html")}, [])
    lines = Path(config.paths.reports) / landing.LINES
    lines.write_text(lines.read_text() + line + "\n")
    with pytest.raises(StoreError, match="line 2 of .* is damaged"):
        landing.draw(config)


def test_the_sha_of_a_run_is_that_of_the_checkout():
    """Specification 5.3: the sha in a report is `git rev-parse --short HEAD`."""
    import subprocess

    command = ["git", "-C", str(PROJECT), "rev-parse", "--short", "HEAD"]
    head = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert git.sha().removesuffix("-dirty") == head


def test_lines_are_json_and_keep_what_the_run_said(config):
    path = put(config, "a.html")
    landing.add(replace(config, sprint="s1"), KNOWN, {"report": path}, [])
    (line,) = (Path(config.paths.reports) / landing.LINES).read_text().splitlines()
    told = json.loads(line)
    assert told["sprint"] == "s1" and told["git_sha"] == "abc1234" and told["sharpe"] is None
