"""Planted leaks: each inflates a result, and each is caught; the clean pipeline is silent.

`python -m tests.leaks` prints the table.
"""

import pytest

from tests.leaks import checks, markets, run
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
    assert found.first


def test_leaks_are_many_and_of_many_kinds():
    assert len(CATALOGUE) >= 28
    assert len({leak.mechanism for leak in CATALOGUE}) >= 22
    assert len({leak.name for leak in CATALOGUE}) == len(CATALOGUE)
    stages = {leak.stage for leak in CATALOGUE}
    assert stages >= {"ingest", "universe", "features", "model2", "backtest", "evaluate"}
    assert {leak.check for leak in CATALOGUE} == {REPLAY, *checks.CHECKS}


@pytest.mark.parametrize("market", ["us", "cn"])
@pytest.mark.parametrize("how", run.HOW)
def test_the_clean_pipeline_is_silent_when_its_future_goes(market, how, lab):
    cut = markets.market(market).cuts[0]
    assert run.difference(lab.run(market), lab.run(market, how, cut), cut) == ""


@pytest.mark.parametrize("market", ["us", "cn"])
@pytest.mark.parametrize("check", checks.CHECKS)
def test_the_clean_pipeline_passes_every_check(market, check, lab):
    frames = lab.run(market).upto(len(run.STAGES) - 1)
    assert checks.CHECKS[check](markets.market(market), frames) == ""
