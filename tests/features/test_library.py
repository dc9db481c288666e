"""Families are kept between runs: what is read is what would be computed, and only that."""

import numpy as np
import pandas as pd
import pytest

from quant.core import sources
from quant.features import compute as plain
from quant.features import library
from quant.features.producers import FAMILIES
from tests.features import market

BARS = market.bars()
MEMBERS = market.membership(BARS)
PANEL = market.panel(BARS)
WHOLE = plain(PANEL, MEMBERS)


@pytest.fixture
def made(monkeypatch):
    """Families whose functions were called, by run."""
    calls: list[set[str]] = []
    clean = library.engine.compute

    def watched(panel, membership, producers, known):
        calls.append({row.family for row in producers if row.name not in known})
        return clean(panel, membership, producers, known)

    monkeypatch.setattr(library.engine, "compute", watched)
    return calls


def edited(monkeypatch, module: str) -> None:
    """As if the source of `module` had changed."""
    real = sources.fingerprint

    def fingerprint(name, without=frozenset()):
        changed = module in sources.closure(name, without)
        return real(name, without) + "edited" * changed

    monkeypatch.setattr(sources, "fingerprint", fingerprint)


def test_what_is_read_is_what_would_be_computed(tmp_path, made):
    for _ in range(2):
        ours = library.cached(PANEL, MEMBERS, tmp_path)
        pd.testing.assert_frame_equal(ours, WHOLE, check_exact=True)
    assert len(made[0]) == len(FAMILIES) and made[1] == set()


def test_an_edit_of_a_family_makes_it_alone_anew(tmp_path, made, monkeypatch):
    library.cached(PANEL, MEMBERS, tmp_path)
    edited(monkeypatch, "quant.features.seasonality")
    ours = library.cached(PANEL, MEMBERS, tmp_path)
    pd.testing.assert_frame_equal(ours, WHOLE, check_exact=True)
    assert made[1] == {"seasonality"}


def test_an_edit_reaches_the_families_that_are_built_on_it(tmp_path, made, monkeypatch):
    library.cached(PANEL, MEMBERS, tmp_path)
    edited(monkeypatch, "quant.features.volume")
    library.cached(PANEL, MEMBERS, tmp_path)
    assert made[1] == {"volume", "industry", "interaction"}


def test_an_edit_of_what_all_use_makes_all_anew(tmp_path, monkeypatch):
    before = [library._key(family, "") for family in FAMILIES]
    edited(monkeypatch, "quant.features.kernels")
    after = [library._key(family, "") for family in FAMILIES]
    assert not set(before) & set(after)


@pytest.mark.parametrize("damage", ["a bit", "cut", "empty"])
def test_a_damaged_file_is_made_anew(tmp_path, made, damage):
    library.cached(PANEL, MEMBERS, tmp_path)
    path = next(tmp_path.glob("momentum-*.npy"))
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes({"a bit": content, "cut": content[:-40], "empty": b""}[damage])
    ours = library.cached(PANEL, MEMBERS, tmp_path)
    pd.testing.assert_frame_equal(ours, WHOLE, check_exact=True)
    assert made[1] == {"momentum"}
    library.cached(PANEL, MEMBERS, tmp_path)
    assert made[2] == set()


@pytest.mark.parametrize("part", ["bars", "membership", "industries"])
def test_other_inputs_are_other_features(tmp_path, made, part):
    library.cached(PANEL, MEMBERS, tmp_path)
    bars, members = BARS, MEMBERS
    if part == "bars":
        bars = BARS.assign(close=np.where(BARS.index == 5000, 1.01, 1.0) * BARS["close"])
    if part == "membership":
        members = MEMBERS.iloc[1:]
    if part == "industries":
        members = MEMBERS.assign(industry_id=MEMBERS["industry_id"].replace("i3", "i2"))
    library.cached(market.panel(bars), members, tmp_path)
    assert len(made[1]) == len(FAMILIES)


def test_old_files_are_removed(tmp_path):
    for first in range(library.KEEP + 2):
        library.cached(PANEL, MEMBERS.iloc[first:], tmp_path)
    for family in FAMILIES:
        name = family.__name__.rpartition(".")[2]
        assert len(list(tmp_path.glob(f"{name}-*.npy"))) == library.KEEP
    assert not list(tmp_path.glob(".*"))
