"""The early stop of the specification, to the published sequences."""

import pytest

from quant.rl.stopping import Plateau, stops_at
from tests.shared import case


def test_the_shared_case_comes_out():
    told = case("09_early_stop")
    rule = told["inputs"]["min_delta"], told["inputs"]["patience"]
    for name, values in told["inputs"]["sequences"].items():
        assert stops_at(values, *rule) == told["expected"]["rule_A_stop_index"][name], name


def test_no_number_is_no_improvement():
    assert stops_at([float("nan")] * 5) == 4
    assert stops_at([0.5, *[float("nan")] * 5]) == 5


@pytest.mark.parametrize("step", [0.02, 0.15 - 0.13])
def test_a_gain_of_exactly_the_least_counts(step):
    plateau = Plateau()
    plateau.look(0.13)
    assert not plateau.look(0.13 + step) and plateau.since == 0
