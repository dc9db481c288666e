"""Rows of a vendor that can not be prices: set aside and counted, never repaired, never hidden."""

from collections.abc import Sequence

import numpy as np

from quant.core.types import Frame

REASONS = ("unreadable date", "price is missing or not above 0", "negative volume", "double row")


def split(frame: Frame, prices: Sequence[str], amounts: Sequence[str]) -> tuple[Frame, Frame]:
    """Return (rows that can be used, rows set aside with their `reason`).

    prices  : columns that must be finite and above 0
    amounts : columns that must not be negative (null is allowed)
    Impossible moves and broken high/low are left in: they are the quality check's to find.
    """
    values = frame[list(prices)].to_numpy(float)
    bad_price = ~(np.isfinite(values) & (values > 0)).all(axis=1)
    bad_amount = (frame[list(amounts)].to_numpy(float) < 0).any(axis=1)
    bad_date = frame["date"].isna().to_numpy() | frame["symbol"].isna().to_numpy()
    double = frame.duplicated(["date", "symbol"]).to_numpy()
    faults = [bad_date, bad_price, bad_amount, double]
    bad = np.logical_or.reduce(faults)
    aside = frame[bad].assign(reason=np.select([f[bad] for f in faults], list(REASONS), default=""))
    return frame[~bad], aside


def text(aside: Frame) -> str:
    """Say in one sentence how many rows were set aside and why; empty where there is none."""
    if not len(aside):
        return ""
    counts = aside["reason"].value_counts().sort_index()
    first = aside.iloc[0]
    why = ", ".join(f"{n} x {reason}" for reason, n in counts.items())
    return (
        f"{len(aside)} malformed rows of the vendor are left out ({why}); the first is "
        f"{first['symbol']} on {str(first['date'])[:10]}."
    )
