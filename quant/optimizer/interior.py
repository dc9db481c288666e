"""An own interior point for the programs of the working set: few columns, dense, many in a row.

    minimise    c'x + x'Hx/2    over 0 <= x <= u
    subject to  A x <= b (= in the first rows)  and  x'Gx/2 + g'x <= rho

Mehrotra's predictor and corrector on the perturbed optimality conditions, the quadratic limit
linearised like the rest with its second-order term in the corrector. Rows and limit are one
Schur complement over the Cholesky factor of H + price G + barrier: a step costs one factorisation
of the number of columns. Slacks and prices start away from feasible, so any start will do.
Source: Mehrotra (1992), SIAM J. Optimization 2; Nocedal & Wright (2006), ch. 16.6 and 19;
why it is our own: .github/rfcs/0001-interior-point.md
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs

from quant.core.types import Matrix, Vector

_STEPS = 60
_TOLERANCE = 1e-10
_STEP_BACK = 0.9995


@dataclass(frozen=True)
class Program:
    """One program, in units where entries of c and u are about 1.

    linear    : c (k,);  quadratic : H (k, k);  upper : u (k,) > 0
    rows      : A (m, k);  bound : b (m,);  n_equal : how many of the first rows are equalities
    risk      : G (k, k);  slope : g (k,);  level : rho, inf where there is no limit
    """

    linear: Vector
    quadratic: Matrix
    upper: Vector
    rows: Matrix
    bound: Vector
    n_equal: int
    risk: Matrix
    slope: Vector
    level: float


@dataclass(frozen=True)
class Found:
    """Optimum x (k,), prices of the rows (m,) and of the quadratic limit, and steps taken."""

    x: Vector
    prices: Vector
    price: float
    steps: int


def minimise(p: Program) -> Found | None:
    """Optimum to about 1e-10, or None where the steps do not arrive (no feasible point)."""
    k, m = p.linear.size, p.bound.size
    curved = bool(np.isfinite(p.level))
    x = np.minimum(0.5 * p.upper, 0.1)
    above = p.upper - x
    lower_price = np.ones(k)
    upper_price = np.ones(k)
    soft = np.arange(m) >= p.n_equal
    slack = np.where(soft, np.maximum(p.bound - p.rows @ x, 1.0), 0.0)
    prices = np.where(soft, 1.0, 0.0)
    if curved:  # the quadratic limit is the last row
        slack, prices, soft = np.append(slack, 1.0), np.append(prices, 1.0), np.append(soft, True)
    jacobian = np.zeros((slack.size, k))
    jacobian[:m] = p.rows
    count = 2 * k + int(soft.sum())
    for step in range(_STEPS):
        hx = p.quadratic @ x
        dual = p.linear + hx - lower_price + upper_price
        primal = np.empty(slack.size)
        primal[:m] = p.rows @ x + slack[:m] - p.bound
        if curved:
            gx = p.risk @ x
            jacobian[m] = gx + p.slope
            primal[m] = 0.5 * (x @ gx) + p.slope @ x + slack[m] - p.level
        dual += jacobian.T @ prices
        gap = lower_price @ x + upper_price @ above + prices[soft] @ slack[soft]
        mu = gap / count
        size = 1.0 + abs(p.linear @ x)
        if (
            gap <= _TOLERANCE * size
            and np.abs(primal).max(initial=0.0) <= 1e-9
            and np.abs(dual).max() <= 1e-8
        ):
            return Found(x, prices[:m], float(prices[m]) if curved else 0.0, step)
        barrier = lower_price / x + upper_price / above
        hessian = p.quadratic + prices[m] * p.risk if curved else p.quadratic.copy()
        hessian.flat[:: k + 1] += barrier
        factor, info = dpotrf(hessian, lower=1, clean=0, overwrite_a=1)
        if info:
            return None
        half, _ = dtrtrs(factor, jacobian.T, lower=1)
        schur = half.T @ half
        ratio = np.zeros(slack.size)
        ratio[soft] = slack[soft] / prices[soft]
        schur.flat[:: slack.size + 1] += ratio + 1e-14
        small, info = dpotrf(schur, lower=1) if slack.size else (schur, 0)
        if info:
            return None

        def direction(cl, cu, cs, rd, rp):
            # cl, cu, cs: targets of the complementarities; dz = (c - z dx) / x and so on
            right = -rd + cl / x - cu / above
            target = -rp - np.where(soft, cs / np.where(soft, prices, 1.0), 0.0)
            y, _ = dtrtrs(factor, right, lower=1)
            dp = dpotrs(small, half.T @ y - target, lower=1)[0] if target.size else target
            dx, _ = dtrtrs(factor, y - half @ dp, lower=1, trans=1)
            dl = (cl - lower_price * dx) / x
            du = (cu + upper_price * dx) / above
            ds = np.where(soft, -rp - jacobian @ dx, 0.0)
            return dx, dl, du, dp, ds

        dx, dl, du, dp, ds = direction(
            -lower_price * x, -upper_price * above, -prices * slack, dual, primal
        )
        a = min(
            _reach(x, dx),
            _reach(above, -dx),
            _reach(lower_price, dl),
            _reach(upper_price, du),
            _reach(slack[soft], ds[soft]),
            _reach(prices[soft], dp[soft]),
        )
        after = (
            (lower_price + a * dl) @ (x + a * dx)
            + (upper_price + a * du) @ (above - a * dx)
            + (prices + a * dp)[soft] @ (slack + a * ds)[soft]
        )
        sigma = (max(after, 0.0) / gap) ** 3
        t = sigma * mu
        rd, rp = dual, primal
        if curved:
            rp = primal.copy()
            gdx = p.risk @ dx
            rp[m] += 0.5 * a * a * (dx @ gdx)
            rd = dual + a * a * dp[m] * gdx
        dx, dl, du, dp, ds = direction(
            t - lower_price * x - dl * dx,
            t - upper_price * above + du * dx,
            t - prices * slack - dp * ds,
            rd,
            rp,
        )
        a = min(
            _reach(x, dx),
            _reach(above, -dx),
            _reach(lower_price, dl),
            _reach(upper_price, du),
            _reach(slack[soft], ds[soft]),
            _reach(prices[soft], dp[soft]),
        )
        a = min(1.0, _STEP_BACK * a)
        x = x + a * dx
        above = p.upper - x
        lower_price += a * dl
        upper_price += a * du
        prices = prices + a * dp
        slack = slack + a * ds
    return None


def _reach(value: Vector, move: Vector) -> float:
    """Largest step in [0, 1/0.9995] that keeps value + step move >= 0."""
    if value.size == 0:
        return 1.0
    worst = float((-move / value).max())
    return min(1.0, 1.0 / worst) if worst > 0 else 1.0
