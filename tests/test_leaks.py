"""Planted leaks: each inflates a result, and each is caught; the clean pipeline is silent.

`python -m tests.leaks` prints the table.
"""

import pytest

from tests.leaks import checks, run
from tests.leaks.catalogue import CATALOGUE
from tests.leaks.leak import REPLAY

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab():
    return run.Lab()


@pytest.mark.parametrize("leak", CATALOGUE, ids=lambda leak: leak.name)
def test_a_leak_inflates_a_result_and_is_caught(leak, lab):
    found = run.study(leak, lab)
    assert found.gain.inflated, found.line()
    assert found.caught.split(":")[0] == leak.check, found.line()
    assert found.silent, f"the clean run is not silent either: {found.line()}"


def test_leaks_are_many_and_of_many_kinds():
    assert len(CATALOGUE) >= 28
    assert len({leak.mechanism for leak in CATALOGUE}) >= 22
    assert len({leak.name for leak in CATALOGUE}) == len(CATALOGUE)
    stages = {leak.stage for leak in CATALOGUE}
    assert stages >= {"ingest", "universe", "features", "model2", "backtest", "evaluate"}
    assert {leak.check for leak in CATALOGUE} == {REPLAY, *checks.CHECKS}


@pytest.mark.parametrize("market", ["us", "cn"])
def test_the_clean_pipeline_is_silent(market, lab):
    """Cut and garbled, every table of every stage, and every other check."""
    assert run.clean_faults(market, lab) == []
