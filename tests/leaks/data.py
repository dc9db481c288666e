"""Leaks before the universe: vendor rows and industries."""

from quant import features
from quant.core.panel import Panel
from quant.core.types import Frame
from tests.leaks.leak import instead, leak


@leak("revised classification", "features", "rank IC", market="us revised")
def latest_industry_for_earlier_days():
    """Features are made relative to the industry that a name has today."""
    real = features.compute

    def compute(panel: Panel, membership: Frame) -> Frame:
        latest = membership.groupby("symbol")[["industry_id", "group_id"]].last()
        return real(panel, membership[["date", "symbol"]].join(latest, on="symbol"))

    return instead(features, "compute", compute)
