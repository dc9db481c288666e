"""What trading costs, by liquidity bucket: fixed, fitted walk-forward, or the user's own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant.core import logs, tables
from quant.core.panel import sessions_of
from quant.core.types import Frame
from quant.costs import fit
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config


def settings(config: "Config") -> dict[str, Any]:
    """What decides the fit."""
    return {"costs": config.costs, "style": config.execution.style}


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """One row a bucket and date of fit; the fixed costs hold from the first session on."""
    costs, days = s["costs"], sessions_of(f["sessions"])
    n = costs.bucket_scheme.n_buckets
    own = costs.lambda1_per_bucket_bp, costs.lambda2_per_bucket
    prior = [np.full(n, costs.lambda1 * 1e4), np.full(n, costs.lambda2)] if own[0] is None else own
    params, fits = [_params(days[0], *prior, costs)], []
    if costs.model == "fitted" and own[0] is None:
        orders = f["shortfall"]
        for asof, found in fit.walk_forward(
            orders, _dates(orders, days, costs.fit.every), n_buckets=n, method=costs.fit_method,
            min_orders=costs.fit.min_orders,
        ):  # fmt: skip
            params.append(_params(asof, found.lambda1_bp, found.lambda2, costs))
            fits.append(_fit(asof, found, s["style"]))
        c.metrics["costs.fits"] = float(len(fits))
        if not fits:
            logs.event(
                f"costs: {len(orders)} orders are too few for a fit (costs.fit.min_orders="
                f"{costs.fit.min_orders}); the fixed costs hold throughout"
            )
    return {
        "lambda_params": pd.concat(params, ignore_index=True),
        "cost_fits": pd.concat(fits, ignore_index=True) if fits else tables.COST_FITS.empty(),
    }


def _dates(orders: Frame, days: np.ndarray, every: int) -> np.ndarray:
    """Dates of the fits: every so many sessions after the first order."""
    if not len(orders):
        return days[:0]
    first = np.searchsorted(days, orders["date"].min().to_datetime64().astype("datetime64[D]"))
    last = np.searchsorted(days, orders["date"].max().to_datetime64().astype("datetime64[D]"))
    return days[first + every : last + 1 : every]


def _params(asof: np.datetime64, lambda1_bp: Any, lambda2: Any, costs: Any) -> Frame:
    edges = costs.bucket_scheme.edges_pct
    return pd.DataFrame(
        {
            "asof_date": pd.Timestamp(asof),
            "bucket_id": np.arange(len(edges) - 1),
            "lambda1_bp": lambda1_bp,
            "lambda2": lambda2,
            "adv_edge_low": edges[:-1],
            "adv_edge_high": edges[1:],
        }
    )


def _fit(asof: np.datetime64, found: fit.CostFit, style: str) -> Frame:
    low1, high1, low2, high2 = found.interval(0.95)
    return pd.DataFrame(
        {
            "asof_date": pd.Timestamp(asof),
            "style": style,
            **{
                name: getattr(found, name)
                for name in (
                    "bucket_id", "raw1_bp", "raw2", "se1_bp", "se2", "size_low", "size_high",
                    "orders", "pool",
                )
            },
            "low1_bp": low1, "high1_bp": high1, "low2": low2, "high2": high2,
        }
    )  # fmt: skip


STAGE = Stage(
    "costs",
    needs=(tables.SHORTFALL, tables.SESSIONS),
    makes=(tables.LAMBDA_PARAMS, tables.COST_FITS),
    settings=settings,
    run=run,
    module=__name__,
)
