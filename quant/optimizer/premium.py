"""The expected return the optimizer is given: equilibrium premium, alpha and tilt."""

import numpy as np

from quant.core.errors import ProblemError
from quant.core.types import Vector
from quant.risk.covariance import FactorCovariance


def expected_return(
    covariance: FactorCovariance,
    benchmark_weights: Vector,
    gamma_ref: float,
    alpha: Vector,
    tilt: Vector | float = 0.0,
) -> Vector:
    """Expected return mu = gamma_ref Sigma w_bench + alpha + tilt, (n_assets,), over the horizon.

    The premium makes the benchmark optimal where there is no alpha and no cost; without it a
    long-only book of residual alphas would sit in cash.

    covariance        : over the horizon of alpha
    benchmark_weights : (n_assets,) usually equal weights of the universe
    gamma_ref         : risk aversion of the benchmark's holder; the optimizer's gamma by default
    alpha, tilt       : (n_assets,) decimal over the horizon
    Source            : readings 14
    """
    n_assets = covariance.factor.shape[1]
    for name, value in (("benchmark_weights", benchmark_weights), ("alpha", alpha)):
        if value.shape != (n_assets,) or not np.isfinite(value).all():
            raise ProblemError(
                f"{name} has shape {value.shape} and must be {n_assets} finite numbers, "
                "one for each column of the covariance."
            )
    return gamma_ref * covariance.apply(benchmark_weights) + alpha + tilt
