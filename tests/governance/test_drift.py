"""Drift: reference values, laws, and what each rule finds where the answer is known."""

import numpy as np
import pytest
from scipy import stats

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.core.tables import LITERAL
from quant.governance import drift
from tests.shared import case

WINDOW = 40


def wandering(name: str, sessions: int = 400, names: int = 60, memory: float = 0.97) -> list:
    """Values of names that share a slow factor: nothing drifts, and no two days are independent."""
    rng = generator(42, "tests", "drift", name)
    common = np.zeros(sessions)
    for t in range(1, sessions):
        common[t] = memory * common[t - 1] + np.sqrt(1 - memory**2) * rng.normal()
    own = rng.normal(size=names)
    return [0.5 * common[t] + own + 0.3 * rng.normal(size=names) for t in range(sessions)]


def shifted(days: list, by: float = 1.0, scale: float = 1.0) -> list:
    return [v if k < len(days) - WINDOW else scale * v + by for k, v in enumerate(days)]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_psi_of_the_case(number):
    told = case("10_psi")
    e, a = (told["inputs"][k][number] for k in ("expected", "actual"))
    assert drift.psi(e, a) == pytest.approx(told["expected"]["psi"][number], abs=1e-12)
    assert drift.psi(a, e) == pytest.approx(drift.psi(e, a), abs=1e-12)


def test_an_empty_bin_is_finite():
    assert np.isfinite(drift.psi([0.5, 0.5], [1.0, 0.0]))
    assert drift.psi([0.2, 0.8], [0.2, 0.8]) == 0.0


def test_distance_and_literal_p_of_the_case():
    told = case("10_ks_small")
    a, b = (np.array(told["inputs"][k]) for k in "ab")
    days = [*np.array_split(a, 8), *np.array_split(b, 4)]
    found = drift.measure(days, 4)
    assert found.distance == pytest.approx(told["expected"]["D"], abs=1e-12)
    assert found.literal == pytest.approx(told["expected"]["p_asymptotic_scipy"], abs=1e-9)


def test_the_distance_of_a_stretch_is_that_of_kolmogorov_and_smirnov():
    days = wandering("one", 200, 30)
    edges = np.unique(np.concatenate(days))
    found = drift._distances(days, edges, WINDOW)
    for k in (0, 57, len(days) - WINDOW):
        inside = np.concatenate(days[k : k + WINDOW])
        rest = np.concatenate(days[:k] + days[k + WINDOW :])
        assert found[k] == pytest.approx(stats.ks_2samp(inside, rest).statistic, abs=1e-12)


def test_bins_are_of_the_past_and_open():
    days = wandering("two")
    far = shifted(days, by=100.0)
    assert drift.measure(far, WINDOW).psi > 5.0  # quantiles of the present would say 0
    assert drift.measure(far, WINDOW).distance == pytest.approx(1.0)


def test_what_is_not_there_does_not_count():
    days = wandering("three")
    holed = [np.append(v, np.nan) for v in days]
    assert drift.measure(holed, WINDOW) == drift.measure(days, WINDOW)
    none = [np.full(3, np.nan)] * len(days)
    assert np.isnan(drift.measure(none, WINDOW).p)


def test_a_feature_in_other_units_drifts_alike():
    days = wandering("four")
    mine, theirs = (drift.measure(d, WINDOW) for d in (days, [np.exp(v) for v in days]))
    assert theirs.distance == pytest.approx(mine.distance)
    assert theirs.p == pytest.approx(mine.p, abs=0.02)
    assert theirs.psi == pytest.approx(mine.psi, abs=0.02)


def test_too_short_a_past_is_refused():
    with pytest.raises(DataError, match="two stretches"):
        drift.measure(wandering("five", 100), WINDOW)


def test_holm_is_the_step_down_correction():
    # by hand: 3 x 0.01, max(2 x 0.02, ...), max(1 x 0.5, ...)
    np.testing.assert_allclose(drift.holm([0.02, 0.01, 0.5]), [0.04, 0.03, 0.5])
    np.testing.assert_allclose(drift.holm([np.nan, 0.01]), [np.nan, 0.01])
    assert drift.holm([]).size == 0


@pytest.mark.parametrize(
    ("p", "index", "word"),
    [(0.2, 9.0, "none"), (np.nan, 9.0, "none"), (0.01, 0.05, "watch"),
     (0.01, 0.2, "moderate"), (0.01, 0.3, "severe")],
)  # fmt: skip
def test_severity_needs_both(p, index, word):
    assert drift.severity(p, index) == word


def test_the_literal_rule_cries_wolf_and_the_other_does_not():
    """Sixty features that only wander: a test of level 5 % fires on few, the literal on most."""
    found = [drift.measure(wandering(f"null {k}"), WINDOW) for k in range(60)]
    assert np.mean([f.literal < LITERAL for f in found]) > 0.8
    fired = np.mean([f.p < 0.05 for f in found])
    assert fired <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 60)


def test_a_change_of_spread_is_found_though_the_level_wanders():
    found = [
        drift.measure(shifted(wandering(f"spread {k}", 800), by=0.0, scale=1.5), WINDOW)
        for k in range(10)
    ]
    assert all(f.p < 0.05 for f in found)


def test_real_drift_is_found():
    found = [drift.measure(shifted(wandering(f"shift {k}", 800)), WINDOW) for k in range(20)]
    assert np.mean([drift.severity(f.p, f.psi) != "none" for f in found]) >= 0.8
