"""Fit of the quadratic cost model by liquidity bucket, to the shortfall of single orders.

An order of |d| (of NAV) costs lambda1 |d| + lambda2 d^2, so its shortfall in bp is
lambda1_bp + 1e4 lambda2 |d|: intercept and slope. Single orders are noisy (the price moves while
they trade) and orders of one session move together, so standard errors are clustered by session.
Costs are not negative and do not rise with liquidity; where the estimate says otherwise the nearest
model that obeys is taken, and the estimate is kept beside it.

Winsorising the shortfall cuts the cost of large orders as well as the noise: where sizes have a
long tail, lambda2 comes out a few percent low, and with very many orders that exceeds its error.

Source: specification 3.2, readings 20; Liang and Zeger (1986) for the clustering; Koenker (2005)
for median regression.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from quant.core.errors import DataError
from quant.core.types import Codes, Frame, Matrix, Vector

METHODS = ("winsorized_ols", "quantile_reg")
# shortfall beyond these quantiles of a pool counts as the quantile
WINSOR = (0.01, 0.99)
_COLUMNS = ["size", "shortfall_bp", "bucket", "vol_bucket"]


@dataclass(frozen=True)
class CostFit:
    """One fit; vectors are (n_buckets,), bucket 0 the least liquid.

    lambda1_bp, lambda2  : not negative, not rising with liquidity; bp, and decimal a unit weight
    raw1_bp, raw2        : estimates of the bucket's pool before that
    se1_bp, se2          : their standard errors by session, NaN where one session is all there is
    orders               : orders of the bucket itself
    pool                 : first bucket of those that were fitted together
    sessions             : sessions of the pool
    size_low, size_high  : 5th and 95th percentile of |d| in the pool: where the fit holds
    """

    bucket_id: Codes
    lambda1_bp: Vector
    lambda2: Vector
    raw1_bp: Vector
    raw2: Vector
    se1_bp: Vector
    se2: Vector
    orders: Codes
    pool: Codes
    sessions: Codes
    size_low: Vector
    size_high: Vector

    def interval(self, level: float) -> tuple[Vector, Vector, Vector, Vector]:
        """Intervals around the estimates: low and high of lambda1 (bp), low and high of lambda2."""
        wide = stats.t.ppf(0.5 + level / 2.0, np.maximum(self.sessions - 1, 1))
        a, b = wide * self.se1_bp, wide * self.se2
        return self.raw1_bp - a, self.raw1_bp + a, self.raw2 - b, self.raw2 + b


def fit(
    orders: Frame,
    n_buckets: int,
    method: str = "winsorized_ols",
    winsor: tuple[float, float] = WINSOR,
    min_orders: int = 200,
) -> CostFit:
    """Fit the model to `orders`: date, size, shortfall_bp, bucket, vol_bucket (0 to 2).

    size, shortfall_bp : |d| as a share of NAV, decimal; signed, + = cost
    winsor     : quantiles of the pool's shortfall beyond which it counts as the quantile
    min_orders : of a pool; thinner buckets join the next more liquid one, the last the one before
    The volatility bucket is a control common to all pools: lambda is that of the average order.
    Raises DataError for too few orders, a missing value, an unknown bucket or method.
    """
    _check(orders, n_buckets, method, min_orders)
    bucket = orders["bucket"].to_numpy(np.int64)
    count = np.bincount(bucket, minlength=n_buckets)
    pool, first = _pools(count, min_orders)
    of, size = pool[bucket], orders["size"].to_numpy(np.float64)
    session = np.unique(orders["date"].to_numpy(), return_inverse=True)[1]
    y = _winsorised(orders["shortfall_bp"].to_numpy(np.float64), of, first.size, winsor)
    scale = np.array([size[of == p].mean() for p in range(first.size)])
    scale = np.where(scale > 0.0, scale, 1.0)
    x = _design(of, size / scale[of], orders["vol_bucket"].to_numpy(np.int64), first.size)
    raw, cov = _ols(x, y, session) if method == "winsorized_ols" else _median(x, y, session)
    n = first.size
    bound1, bound2 = _bounded(x, y, scale, method)
    sessions = np.array([np.unique(session[of == p]).size for p in range(n)])
    se = np.sqrt(np.maximum(np.diag(cov)[: 2 * n], 0.0))
    se = np.where(np.tile(sessions, 2) > 1, se, np.nan)
    quantile = np.array([np.quantile(size[of == p], (0.05, 0.95)) for p in range(n)])
    return CostFit(
        bucket_id=np.arange(n_buckets),
        lambda1_bp=bound1[pool],
        lambda2=(bound2 / 1e4)[pool],
        raw1_bp=raw[:n][pool],
        raw2=(raw[n : 2 * n] / scale / 1e4)[pool],
        se1_bp=se[:n][pool],
        se2=(se[n:] / scale / 1e4)[pool],
        orders=count,
        pool=first[pool],
        sessions=sessions[pool],
        size_low=quantile[pool, 0],
        size_high=quantile[pool, 1],
    )


def walk_forward(
    orders: Frame,
    asof_dates: Iterable[np.datetime64],
    n_buckets: int,
    method: str = "winsorized_ols",
    winsor: tuple[float, float] = WINSOR,
    min_orders: int = 200,
) -> Iterator[tuple[np.datetime64, CostFit]]:
    """Fits to the orders traded before each date; dates with too few of them are passed over.

    Arguments and errors are those of `fit`; the caller keeps its prior where a date is missing.
    """
    day = orders["date"].to_numpy("datetime64[D]")
    for asof in asof_dates:
        known = day < asof
        if known.sum() >= min_orders:
            yield asof, fit(orders[known], n_buckets, method, winsor, min_orders)


def _check(orders: Frame, n_buckets: int, method: str, min_orders: int) -> None:
    if method not in METHODS:
        raise DataError(f"fit_method={method!r} is not known; choose one of {METHODS}.")
    if len(orders) < min_orders:
        raise DataError(
            f"{len(orders)} orders are too few for a fit of costs; {min_orders} is the least: "
            "lengthen the backtest or lower costs.fit.min_orders."
        )
    values = orders[_COLUMNS].to_numpy(np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise DataError(f"order {row} has no {_COLUMNS[column]}; drop it or complete it.")
    if orders["date"].isna().any():
        row = int(orders["date"].isna().to_numpy().argmax())
        raise DataError(f"order {row} has no date; drop it or complete it.")
    for column, n in (("bucket", n_buckets), ("vol_bucket", 3)):
        ids = orders[column].to_numpy(np.float64)
        wrong = ids[~np.isin(ids, np.arange(n))]
        if wrong.size:
            raise DataError(
                f"an order is of {column} {wrong[0]:g}, but the {n} are 0 to {n - 1}; bucket the "
                "orders by the scheme of the fit."
            )


def _pools(count: Codes, least: int) -> tuple[Codes, Codes]:
    """Pool of every bucket, and the first bucket of every pool."""
    pool, first, held, start = np.zeros(count.size, np.int64), [], 0, 0
    for b, n in enumerate(count):
        held += int(n)
        pool[b] = len(first)
        if held >= least:
            first.append(start)
            held, start = 0, b + 1
    # what is left at the liquid end joins the pool before it
    pool = np.minimum(pool, len(first) - 1)
    return pool, np.array(first)


def _winsorised(y: Vector, of: Codes, n: int, winsor: tuple[float, float]) -> Vector:
    out = y.copy()
    for p in range(n):
        own = of == p
        out[own] = np.clip(y[own], *np.quantile(y[own], winsor))
    return out


def _design(of: Codes, size: Vector, calm: Codes, n: int) -> Matrix:
    """Columns: intercepts of the pools, slopes of the pools, centred volatility dummies."""
    one = of[:, None] == np.arange(n)
    control = (calm[:, None] == np.unique(calm)[1:]).astype(np.float64)
    return np.hstack([one, one * size[:, None], control - control.mean(axis=0)])


def _ols(x: Matrix, y: Vector, session: Codes) -> tuple[Vector, Matrix]:
    """Least squares, and the covariance clustered by session with the G / (G - 1) correction."""
    bread = np.linalg.pinv(x.T @ x)
    beta = bread @ (x.T @ y)
    return beta, bread @ _meat(x, y - x @ beta, session) @ bread


def _meat(x: Matrix, score: Vector, session: Codes) -> Matrix:
    """Sum over sessions of the outer product of their summed scores."""
    groups = int(session.max()) + 1
    summed = np.stack([np.bincount(session, column, groups) for column in (x * score[:, None]).T])
    return groups / max(groups - 1, 1) * (summed @ summed.T)


def _median(x: Matrix, y: Vector, session: Codes) -> tuple[Vector, Matrix]:
    """Median regression, and Powell's sandwich with the scores clustered by session."""
    beta = _least_deviation(x, y, np.full(x.shape[1], -np.inf))
    error = y - x @ beta
    # bandwidth: Koenker (2005), 3.4.2, with Hall and Sheather's rate
    n = y.size
    at = (
        n ** (-1 / 3) * stats.norm.ppf(0.975) ** (2 / 3) * (1.5 * stats.norm.pdf(0) ** 2) ** (1 / 3)
    )
    at = min(at, 0.49)
    spread = min(error.std(), (np.quantile(error, 0.75) - np.quantile(error, 0.25)) / 1.34)
    width = spread * (stats.norm.ppf(0.5 + at) - stats.norm.ppf(0.5 - at)) or 1.0
    near = (np.abs(error) <= width) / (2.0 * width)
    bread = np.linalg.pinv(x.T @ (x * near[:, None]))
    return beta, bread @ _meat(x, 0.5 * np.sign(error), session) @ bread


def _least_deviation(x: Matrix, y: Vector, low: Vector) -> Vector:
    """Coefficients of least absolute deviation with lower bounds, by its dual programme.

    max y'u subject to x'u = (a slack below where bounded), -1 <= u <= 1; the multipliers of the
    equalities are the coefficients.
    """
    free = np.isinf(low)
    found = optimize.linprog(
        -y, A_eq=x[:, free].T, b_eq=np.zeros(int(free.sum())),
        A_ub=x[:, ~free].T if (~free).any() else None,
        b_ub=np.zeros(int((~free).sum())) if (~free).any() else None,
        bounds=(-1.0, 1.0), method="highs",
    )  # fmt: skip
    beta = np.empty(low.size)
    beta[free] = -found.eqlin.marginals
    if (~free).any():
        beta[~free] = -found.ineqlin.marginals
    return beta


def _bounded(x: Matrix, y: Vector, scale: Vector, method: str) -> tuple[Vector, Vector]:
    """Intercepts and slopes by pool, both not negative and not rising with liquidity.

    A lambda is the sum of steps, each at least 0, from the most liquid pool down to its own.
    """
    n = scale.size
    steps = np.triu(np.ones((n, n)))  # row p sums the steps of the pools from p on
    change = np.eye(x.shape[1])
    change[:n, :n] = steps
    # slopes are in units of the pool's own size, the order holds in common units
    unit = scale.mean()
    change[n : 2 * n, n : 2 * n] = (scale / unit)[:, None] * steps
    z = x @ change
    low = np.r_[np.zeros(2 * n), np.full(x.shape[1] - 2 * n, -np.inf)]
    if method == "quantile_reg":
        found = _least_deviation(z, y, low)
    else:
        # the normal equations' square root: as many rows as columns
        q, r = np.linalg.qr(z)
        found = optimize.lsq_linear(r, q.T @ y, bounds=(low, np.inf), method="bvls", tol=1e-12).x
    # a bound is met to rounding, and -1e-21 is none; summed in turn, order holds to the last bit
    step = np.maximum(found[: 2 * n], 0.0).reshape(2, n)
    intercept, slope = np.cumsum(step[:, ::-1], axis=1)[:, ::-1]
    return intercept, slope / unit
