"""Impact against the published table, and the laws that any split of an order obeys."""

import numpy as np
import pytest

from quant.execution.impact import Impact, permanent, square_root, temporary

# IBM: 10 % of ADV, daily volatility 1.57 %, 1,728 million shares, ADV 6.561 million
# Source: Almgren, Thum, Hauptmann and Li (2005), Direct estimation of equity market impact, table 4
SIGMA, SIZE, TURNOVER = 0.0157, 0.1, 1_728_000_000 / 6_561_000


@pytest.mark.parametrize(
    ("days", "k_bp", "j_bp"),
    [(0.1, 22.294, 32.22385095592626), (0.2, 14.708554681385447, 24.638405637311713),
     (0.5, 8.488012181946356, 18.41786313787262)],
)  # fmt: skip
def test_the_published_order_costs_what_the_table_says(days, k_bp, j_bp):
    shift = permanent(SIZE, SIGMA, TURNOVER)
    concession = temporary(SIZE / days, SIGMA)
    assert shift * 1e4 == pytest.approx(19.859701911852525, rel=1e-9)
    assert concession * 1e4 == pytest.approx(k_bp, rel=1e-9)
    assert (shift / 2 + concession) * 1e4 == pytest.approx(j_bp, rel=1e-9)


@pytest.mark.parametrize("law", ["almgren", "square_root"])
@pytest.mark.parametrize("seed", range(5))
def test_children_at_one_rate_pay_together_what_the_whole_order_pays(law, seed):
    rng, impact = np.random.default_rng(seed), Impact(law)
    child = rng.dirichlet(np.ones(6)) * SIZE
    done = np.r_[0.0, np.cumsum(child)[:-1]]
    args = (np.full(6, SIGMA), np.full(6, TURNOVER))
    parts = impact.of_child(np.full(6, 0.2), done, child, *args) * child
    whole = {
        "almgren": permanent(SIZE, SIGMA, TURNOVER) / 2 + temporary(0.2, SIGMA),
        "square_root": square_root(SIZE, SIGMA),
    }[law]
    assert parts.sum() / SIZE == pytest.approx(whole, rel=1e-12)


def test_the_square_root_average_is_that_of_its_path():
    grid = np.linspace(0, SIZE, 200_001)
    middle = 0.5 * (grid[1:] + grid[:-1])
    assert square_root(SIZE, SIGMA) == pytest.approx((SIGMA * np.sqrt(middle)).mean(), rel=1e-6)


def test_nothing_traded_pays_nothing_and_more_pays_more():
    impact, one = Impact(), np.ones(1)
    assert impact.of_child(0 * one, 0 * one, 0 * one, SIGMA * one, TURNOVER * one)[0] == 0.0
    size = np.linspace(0.01, 0.5, 20)
    paid = impact.of_child(size, 0 * size, size, 0 * size + SIGMA, 0 * size + TURNOVER)
    assert (np.diff(paid) > 0).all() and (np.diff(np.diff(paid)) < 0).any()  # concave


def test_half_a_spread_is_at_least_half_a_tick():
    spread = Impact(half_spread=1e-4, tick=0.01).spread(np.array([1.0, 100.0]))
    assert spread == pytest.approx([0.005, 1e-4])
