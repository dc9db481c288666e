"""Checks beside the replay: rules that a clean run obeys; each returns its first fault or ""."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from quant.core import horizons
from quant.core.panel import Panel, sessions_of
from quant.core.types import Frame
from quant.evaluation import splits
from quant.model2 import train
from quant.model2.design import align, training
from quant.stages import model2
from tests.leaks.markets import Market
from tests.pipeline import Frames

AFTER = "evaluate"  # the stage whose tables are the last that a check reads
Check = Callable[[Market, Frames], str]


def purged(m: Market, f: Frames) -> str:
    """No label of a training row of cross-validation overlaps the labels of a test block."""
    spec, cv, _ = model2.specs(model2.STAGE.settings(m.config))
    sessions = sessions_of(f["sessions"])
    labels = horizons.at(f["labels"], spec.horizon)
    rows = align(f["features"], labels, sessions)
    end = train.first_prediction(labels, sessions, spec)
    data = training(rows, spec.row_step, int(np.searchsorted(sessions, end)))
    for number, part in enumerate(
        splits.cpcv(data.session, data.end, cv.groups, cv.test_groups, cv.embargo)
    ):
        for block in part.groups:
            opens, closes = data.session[block].min(), data.end[block].max()
            near = (data.end[part.train] >= opens) & (
                data.session[part.train] <= closes + cv.embargo
            )
            if near.any():
                row = data.session[part.train[np.argmax(near)]]
                return f"split {number} trains on {sessions[row]}, tested from {sessions[opens]}"
    return ""


def labels_start_later(m: Market, f: Frames) -> str:
    """Within an industry and day, labels differ by the returns from open(t+1) to open(t+1+h).

    Of names that trade on both days; what an industry's mean takes off is the same for all, hence
    the markets of the catalogue have no beta taken off.
    """
    horizon, bars = m.config.model2.label.horizon, f["bars"]
    level = Panel.of(bars.assign(level=bars["open"] * bars["factor"]), ["level"],
                     dates=sessions_of(f["sessions"]))  # fmt: skip
    level = pd.DataFrame(level["level"], f["sessions"]["date"], level.symbols)
    total = (level.shift(-1 - horizon) / level.shift(-1) - 1.0).stack().rename("total")
    rows = horizons.at(f["labels"], horizon).merge(f["membership"], on=["date", "symbol"])
    rows = rows.join(total, on=["date", "symbol"], how="inner")
    ends = f["listings"].set_index("symbol")["delist_date"]
    rows = rows[~(rows["symbol"].map(ends) < rows["end"])]
    taken = (rows["total"] - rows["raw"]).groupby([rows["date"], rows["industry_id"]])
    wide = taken.transform("max") - taken.transform("min") > 1e-9
    if not wide.any():
        return ""
    one = rows[wide].iloc[0]
    return f"{_at(one)} label {one['raw']:.4f} is not of the return {one['total']:.4f} from t+1"


def fills_at_the_open(m: Market, f: Frames) -> str:
    """Every trade has the open of its session for a price."""
    rows = _trades(f)
    wrong = rows[(rows["shares"] != 0) & ~(rows["price"] == rows["open"])]
    if not len(wrong):
        return ""
    one = wrong.iloc[0]
    return f"{_at(one)} traded at {one['price']:g}, the open was {one['open']:g}"


def unfilled_for_a_cause(m: Market, f: Frames) -> str:
    """A suspended name has no bar, one at its limit opens there, and only buys lack cash."""
    rows = _trades(f)
    cause = rows["reason"]
    excused = np.select(
        [cause == "", cause == "suspended", cause == "limit up", cause == "limit down"],
        [True, rows["open"].isna(), rows["open"] >= rows["limit_up"] * (1 - 1e-6),
         rows["open"] <= rows["limit_down"] * (1 + 1e-6)],
        (cause == "cash") & (rows["ordered"] > 0),
    )  # fmt: skip
    if excused.all():
        return ""
    one = rows[~excused].iloc[0]
    return f"{_at(one)} not traded as {one['reason']}, but it opened at {one['open']:g}"


def metrics_of_every_session(m: Market, f: Frames) -> str:
    """The Sharpe ratio of a book is that of its NAV table, no session left out."""
    told = f["metrics"].set_index(["book", "metric"])["value"]
    for book, rows in f["nav"].groupby("book"):
        rows = rows.sort_values("date")
        over = (rows["nav"].pct_change() - rows["rf"]).iloc[1:]
        own = over.mean() / over.std() * np.sqrt(m.config.region.periods)
        if abs(own - told[book, "sharpe"]) > 1e-9:
            return (
                f"{book} is said to have Sharpe {told[book, 'sharpe']:.3f}, its NAV has {own:.3f}"
            )
    return ""


def _trades(f: Frames) -> Frame:
    """Fills beside the bar of their session, without those that a delisting makes."""
    fills = f["fills"][~f["fills"]["reason"].isin(["delisted", "source ended"])]
    bars = f["bars"][["date", "symbol", "open", "limit_up", "limit_down"]]
    return fills.merge(bars, on=["date", "symbol"], how="left")


def _at(row: pd.Series) -> str:
    return f"{row['symbol']} {row['date']:%Y-%m-%d}"


CHECKS: dict[str, Check] = {
    "purged": purged,
    "labels start later": labels_start_later,
    "metrics of every session": metrics_of_every_session,
    "fills at the open": fills_at_the_open,
    "unfilled for a cause": unfilled_for_a_cause,
}
