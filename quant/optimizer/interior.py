"""An own interior point for the programs of the working set: few columns, dense, many in a row.

    minimise    c'x + x'Hx/2    over 0 <= x <= u
    subject to  A x <= b (= in the first rows)  and  x'Gx/2 + g'x <= rho

Mehrotra's predictor and corrector on the perturbed optimality conditions, the quadratic limit
linearised like the rows with its second-order term in the corrector. Rows and limit are one Schur
complement over the Cholesky factor of  H + price G + barrier:  a step costs one factorisation of
the number of columns. Slacks and prices start away from feasible, so any start will do.
Compiled, because at forty columns the interpreter would cost five times the arithmetic.
Source: Mehrotra (1992), SIAM J. Optimization 2, 575-601; Nocedal & Wright (2006), ch. 16.6, 19.
Why it is our own, and what guards it: .github/rfcs/0001-interior-point.md
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from quant.core.types import Matrix, Vector

_STEPS = 60
_GAP, _PRIMAL, _DUAL = 1e-12, 1e-11, 1e-10
_CLOSE = 1e8  # in units of these: near enough to be polished and audited
_BACK = 0.9995  # share of the way to the boundary
_PATIENCE = 4  # steps without progress, once close
_SHORT = 0.2  # a step below this got nowhere


@dataclass(frozen=True)
class Program:
    """One program, in units where the entries of c and u are about 1.

    linear : c (k,);  quadratic : H (k, k);  upper : u (k,) > 0
    rows   : A (m, k);  bound : b (m,);  n_equal : how many of the first rows are equalities
    risk   : G (k, k);  slope : g (k,);  level : rho, inf where there is no limit
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
    """Optimum to about 1e-12, or None where the steps do not arrive (no feasible point).

    Steps that stall nearby count as arrived: what the point is worth is left to the audit.
    """
    m = p.bound.size
    x, prices, steps = _minimise(
        p.linear, p.quadratic, p.upper, p.rows, p.bound, p.n_equal, p.risk, p.slope, p.level
    )
    if steps < 0:
        return None
    return Found(x, prices[:m], float(prices[m]) if np.isfinite(p.level) else 0.0, steps)


@njit(cache=True, error_model="numpy")
def _minimise(linear, quadratic, upper, rows, bound, n_equal, risk, slope, level):  # type: ignore[no-untyped-def]
    """x, prices of rows and limit, and the number of steps; -1 where they do not arrive."""
    k, m = linear.size, bound.size
    curved = np.isfinite(level)
    size = m + 1 if curved else m  # the quadratic limit is the last row
    x = np.minimum(0.5 * upper, 0.1)
    low, high = np.ones(k), np.ones(k)  # prices of x >= 0 and of x <= upper
    slack, price = np.zeros(size), np.zeros(size)
    jacobian = np.zeros((size, k))
    jacobian[:m] = rows
    slack[n_equal:], price[n_equal:] = 1.0, 1.0
    for j in range(n_equal, m):
        slack[j] = max(bound[j] - rows[j] @ x, 1.0)
    if curved:
        slack[m] = max(level - 0.5 * (x @ (risk @ x)) - slope @ x, 1.0)
    count = 2 * k + size - n_equal
    best, stalled = (_CLOSE, x, price), 0
    for step in range(_STEPS):
        above = upper - x
        dual = linear + quadratic @ x - low + high
        miss = np.empty(size)
        miss[:m] = rows @ x + slack[:m] - bound
        hessian = quadratic.copy()
        if curved:
            bent = risk @ x
            jacobian[m] = bent + slope
            miss[m] = 0.5 * (x @ bent) + slope @ x + slack[m] - level
            hessian += price[m] * risk
        dual += jacobian.T @ price
        gap = low @ x + high @ above + price @ slack
        if not np.isfinite(gap):
            break
        off = max(gap / (1.0 + abs(linear @ x)) / _GAP, _largest(miss) / _PRIMAL,
                  _largest(dual) / _DUAL)  # fmt: skip
        if off <= 1.0:
            return x, price, step
        if off < best[0]:
            best, stalled = (off, x, price), 0
        elif best[0] < _CLOSE:
            stalled += 1
            if stalled == _PATIENCE:
                break
        for i in range(k):
            hessian[i, i] += low[i] / x[i] + high[i] / above[i]
        half = jacobian.T.copy()
        lower, ok = _cholesky(hessian)
        if not ok:
            break
        _forward(lower, half)
        schur = half.T @ half
        for j in range(size):
            schur[j, j] += 1e-14 + (slack[j] / price[j] if j >= n_equal else 0.0)
        joint, ok = _cholesky(schur)
        if not ok:
            break
        now = (x, above, low, high, slack, price, n_equal)
        found = (lower, half, joint, jacobian)
        dx, dl, dh, ds, dp, a = _step(now, found, dual, miss, risk, curved, gap, count)
        a = min(1.0, _BACK * a)
        x = x + a * dx
        low, high = low + a * dl, high + a * dh
        slack, price = slack + a * ds, price + a * dp
    off, x, price = best
    return x, price, step if off < _CLOSE else -1


@njit(cache=True, error_model="numpy")
def _step(now, found, dual, miss, risk, curved, gap, count):  # type: ignore[no-untyped-def]
    """Predictor and corrector: the changes of x and of all prices, and how far they may go."""
    x, above, low, high, slack, price, _ = now
    # predictor: straight at complementarity 0
    dx, dl, dh, ds, dp = _direction(now, found, dual, miss, -low * x, -high * above, -price * slack)
    a = _reach(now, dx, dl, dh, ds, dp)
    after = (low + a * dl) @ (x + a * dx) + (high + a * dh) @ (above - a * dx)
    after += (price + a * dp) @ (slack + a * ds)
    mean = gap / count
    aim = (max(after, 0.0) / gap) ** 3 * mean
    # corrector: to the centre, with what the predictor left out at second order
    missing, dual_too = miss.copy(), dual
    if curved:
        bent = risk @ dx
        missing[-1] += 0.5 * a * a * (dx @ bent)
        dual_too = dual + a * a * dp[-1] * bent
    dx, dl, dh, ds, dp = _direction(
        now, found, dual_too, missing,
        aim - low * x - dl * dx, aim - high * above + dh * dx, aim - price * slack - dp * ds,
    )  # fmt: skip
    a = _reach(now, dx, dl, dh, ds, dp)
    # where that gets nowhere: part of the way to the centre, first order alone
    for share in (0.3, 1.0):
        if a >= _SHORT:
            break
        aim = share * mean
        dx, dl, dh, ds, dp = _direction(
            now, found, dual, miss, aim - low * x, aim - high * above, aim - price * slack
        )
        a = _reach(now, dx, dl, dh, ds, dp)
    return dx, dl, dh, ds, dp, a


@njit(cache=True, error_model="numpy")
def _direction(now, found, dual, miss, to_low, to_high, to_slack):  # type: ignore[no-untyped-def]
    """Newton step on the optimality conditions, the complementarities changed by `to_...`."""
    x, above, low, high, slack, price, n_equal = now
    lower, half, joint, jacobian = found
    size = miss.size
    dx = -dual + to_low / x - to_high / above
    _forward(lower, dx.reshape(-1, 1))
    dp = half.T @ dx + miss
    for j in range(n_equal, size):
        dp[j] += to_slack[j] / price[j]
    _forward(joint, dp.reshape(-1, 1))
    _backward(joint, dp.reshape(-1, 1))
    dx -= half @ dp
    _backward(lower, dx.reshape(-1, 1))
    ds = -miss - jacobian @ dx
    ds[:n_equal] = 0.0
    return dx, (to_low - low * dx) / x, (to_high + high * dx) / above, ds, dp


@njit(cache=True, error_model="numpy")
def _reach(now, dx, dl, dh, ds, dp):  # type: ignore[no-untyped-def]
    """Largest step up to 1/0.9995 at which nothing has become negative."""
    x, above, low, high, slack, price, n_equal = now
    worst = _BACK
    for i in range(x.size):
        worst = max(worst, -dx[i] / x[i], dx[i] / above[i], -dl[i] / low[i], -dh[i] / high[i])
    for j in range(n_equal, slack.size):
        worst = max(worst, -ds[j] / slack[j], -dp[j] / price[j])
    return 1.0 / worst


@njit(cache=True, error_model="numpy")
def _cholesky(matrix):  # type: ignore[no-untyped-def]
    """Lower factor, and whether there is one."""
    try:
        return np.linalg.cholesky(matrix), True
    except Exception:  # the only kind that compiled code can catch
        return matrix, False


@njit(cache=True, error_model="numpy")
def _largest(values):  # type: ignore[no-untyped-def]
    most = 0.0
    for value in values:
        most = max(most, abs(value))
    return most


@njit(cache=True, error_model="numpy")
def _forward(lower, right):  # type: ignore[no-untyped-def]
    """Solve  lower X = right  in place, (k, k) and (k, r)."""
    for i in range(lower.shape[0]):
        for j in range(i):
            for r in range(right.shape[1]):
                right[i, r] -= lower[i, j] * right[j, r]
        for r in range(right.shape[1]):
            right[i, r] /= lower[i, i]


@njit(cache=True, error_model="numpy")
def _backward(lower, right):  # type: ignore[no-untyped-def]
    """Solve  lower' X = right  in place, (k, k) and (k, r)."""
    for i in range(lower.shape[0] - 1, -1, -1):
        for r in range(right.shape[1]):
            right[i, r] /= lower[i, i]
        for j in range(i):
            for r in range(right.shape[1]):
                right[j, r] -= lower[i, j] * right[i, r]
