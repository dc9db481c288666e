"""What to ask Tushare for, in which order, and how it is stored: only what is missing.

Daily interfaces are asked session by session for the whole market, delisted names included, and
stored by month. Facts (listings, names, industries) are asked whole.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd

from quant.core.errors import ProviderError
from quant.core.types import Frame
from quant.data import calendar
from quant.data.providers.download import Malformed, Tick
from quant.data.providers.snapshot import Ask, Snapshot, covered
from quant.data.providers.tushare_client import Denied, Interface, Pro

DAY = ("ts_code", "trade_date")
DAILY = Interface(
    "daily", DAY, ("open", "high", "low", "close", "pre_close", "vol", "amount"), 6000
)
FACTOR = Interface("adj_factor", DAY, ("adj_factor",), 6000)
BASIC = Interface("daily_basic", DAY, ("float_share",), 6000)
LIMIT = Interface("stk_limit", DAY, ("up_limit", "down_limit"), 5800)
DIVIDEND = Interface("dividend", ("ts_code", "ex_date", "div_proc"), ("stk_div", "cash_div_tax"))
LISTED = Interface("stock_basic", ("ts_code", "name", "list_status", "list_date", "delist_date"))
NAMES = Interface("namechange", ("ts_code", "name", "start_date", "end_date"))
CLASSES = Interface("index_classify", ("index_code", "industry_code", "industry_name"), (), 2000)
SW2021 = Interface("index_member_all", ("l1_code", "ts_code", "in_date", "out_date"), (), 2000)
SW2014 = Interface("index_member", ("index_code", "con_code", "in_date", "out_date"), (), 2000)
WEIGHT = Interface("index_weight", ("index_code", "con_code", "trade_date"), ("weight",), 5000)
INDEX = Interface("index_daily", DAY, ("close",), 6000)

# interface and the parameter that carries the session; the first two are needed, the rest not
BY_DAY = {
    "daily": (DAILY, "trade_date"),
    "adj_factor": (FACTOR, "trade_date"),
    "daily_basic": (BASIC, "trade_date"),
    "stk_limit": (LIMIT, "trade_date"),
    "dividend": (DIVIDEND, "ex_date"),
}
NEEDED = ("daily", "adj_factor")
CSI300 = "399300.SZ"
BENCHMARKS = ("H00300.CSI", "000300.SH")  # with dividends, else without
DENIED = "denied"


@dataclass
class Download:
    """Fills a locked snapshot from Tushare; a kill loses at most the month in flight.

    today : the last exchange-local day whose bars are final
    """

    snapshot: Snapshot
    pro: Pro
    today: date
    refresh: bool
    tick: Tick | None = None
    denied: set[str] = field(default_factory=set)

    def all(self, start: date, end: date) -> None:
        """Bring every table up to `end`."""
        end = min(end, self.today)
        self._facts("stock_basic", end, self._listings)
        self._facts("namechange", end, lambda: self.pro.rows(NAMES))
        self._facts("sw2021", end, lambda: self._members("SW2021"))
        self._facts("sw2014", end, lambda: self._members("SW2014"), needed=False)
        self._benchmark(start, end)
        wanted = [
            (kind, month)
            for month in months(start, end)
            for kind in (*BY_DAY, "index_weight")
            if self._lacks(kind, month, end)
        ]
        for done, (kind, month) in enumerate(wanted, 1):
            self._month(kind, month, end)
            if self.tick:
                self.tick(done, len(wanted))

    def _lacks(self, kind: str, month: date, end: date) -> bool:
        parts = [p for p in self.snapshot.of(kind) if p.start == month.isoformat()]
        if self.refresh and not any(p.seen == self.today.isoformat() for p in parts):
            return True
        return not parts or max(p.end for p in parts) < min(last_of(month), end).isoformat()

    def _month(self, kind: str, month: date, end: date) -> None:
        """Ask for a month of one interface and store it, also where it is denied."""
        stop = min(last_of(month), end)
        ask = Ask(kind, month, stop, self.today)
        try:
            if kind in self.denied:
                raise Denied(kind)
            frame, lacking = self._rows_of(kind, month, stop)
        except Denied as error:
            self._not_needed(kind, kind in NEEDED, str(error))
            frame, lacking = pd.DataFrame({"ts_code": pd.Series(dtype="string")}), (DENIED,)
        self.snapshot.add(Ask(kind, ask.start, ask.end, ask.seen, (), lacking), frame)

    def _rows_of(self, kind: str, month: date, stop: date) -> tuple[Frame, tuple[str, ...]]:
        if kind == "index_weight":
            span = {"start_date": f"{month:%Y%m%d}", "end_date": f"{stop:%Y%m%d}"}
            return self.pro.rows(WEIGHT, index_code=CSI300, **span), ()
        interface, parameter = BY_DAY[kind]
        frames, lacking = [], []
        for day in calendar.sessions("cn", month, stop):
            rows = self._session(kind, interface, {parameter: str(day).replace("-", "")})
            if kind in NEEDED and not len(rows):
                lacking.append(str(day))
            frames.append(rows)
        if not frames:
            return pd.DataFrame(columns=list(interface.fields)).astype("string"), ()
        return pd.concat(frames, ignore_index=True), tuple(lacking)

    def _session(self, kind: str, interface: Interface, params: dict[str, str]) -> Frame:
        """Rows of one session; an empty answer where there must be rows is asked for again."""

        def ask() -> Frame:
            rows = self.pro.rows(interface, **params)
            if kind in NEEDED and not len(rows):
                rows = self.pro.rows(interface, **params)
            return rows

        return _readable(kind, ask)

    def _facts(self, kind: str, end: date, ask: Callable[[], Frame], needed: bool = True) -> None:
        spans = covered(self.snapshot.of(kind))
        seen = {p.seen for p in self.snapshot.of(kind)}
        fresh = not self.refresh or self.today.isoformat() in seen
        if "" in spans and spans[""][1] >= end and fresh:
            return
        lacking: tuple[str, ...] = ()
        try:
            frame = _readable(kind, ask)
        except Denied as error:
            self._not_needed(kind, needed, str(error))
            frame, lacking = pd.DataFrame({"ts_code": pd.Series(dtype="string")}), (DENIED,)
        self.snapshot.add(Ask(kind, self.today, self.today, self.today, (), lacking), frame)

    def _listings(self) -> Frame:
        """Listed, delisted and suspended names."""
        parts = [self.pro.rows(LISTED, list_status=status, exchange="") for status in "LDP"]
        if not len(parts[0]):
            raise Malformed("stock_basic has no listed names")
        return pd.concat(parts, ignore_index=True)

    def _members(self, scheme: str) -> Frame:
        """Shenwan level 1 of one scheme, past and present members, with in and out dates."""
        classes = self.pro.rows(CLASSES, level="L1", src=scheme)
        parts = []
        for code, industry in zip(classes["index_code"], classes["industry_code"], strict=True):
            for new in "YN":
                if scheme == "SW2021":
                    rows = self.pro.rows(SW2021, l1_code=code, is_new=new)
                else:
                    rows = self.pro.rows(SW2014, index_code=code, is_new=new)
                rows = rows.set_axis(["index_code", "ts_code", "in_date", "out_date"], axis=1)
                parts.append(rows.assign(code=industry, scheme=scheme).astype("string"))
        columns = ["index_code", "ts_code", "in_date", "out_date", "code", "scheme"]
        return pd.concat(parts) if parts else pd.DataFrame(columns=columns).astype("string")

    def _benchmark(self, start: date, end: date) -> None:
        spans = covered(self.snapshot.of("index_daily"))
        seen = {p.seen for p in self.snapshot.of("index_daily")}
        low, high = spans.get("", (self.today, start))
        fresh = not self.refresh or self.today.isoformat() in seen
        if low <= start and high >= end and fresh:
            return
        first = min(low, start)
        span = {"start_date": f"{first:%Y%m%d}", "end_date": f"{self.today:%Y%m%d}"}
        frame = pd.DataFrame({"ts_code": pd.Series(dtype="string")})
        for code in BENCHMARKS:
            try:
                frame = self.pro.rows(INDEX, ts_code=code, **span)
            except Denied:
                continue
            if len(frame):
                break
        self.snapshot.add(Ask("index_daily", first, self.today, self.today), frame)

    def _not_needed(self, kind: str, needed: bool, why: str) -> None:
        if needed:
            raise ProviderError(
                f"tushare: the token may not use {kind} ({why}); it needs more points at "
                "tushare.pro, or use data=files. What was downloaded before is kept."
            )
        self.denied.add(kind)


def _readable(kind: str, ask: Callable[[], Frame]) -> Frame:
    try:
        return ask()
    except Malformed as error:
        raise ProviderError(
            f"tushare: the answer of {kind} can not be read ({error}); try again later, and if it "
            "stays so, update tushare. What was downloaded before is kept."
        ) from None


def months(start: date, end: date) -> list[date]:
    """First day of every month that `start` to `end` touches."""
    low, high = np.datetime64(start, "M"), np.datetime64(end, "M")
    return [m.astype("datetime64[D]").item() for m in np.arange(low, high + 1)]


def last_of(month: date) -> date:
    """Last day of the month that begins on `month`."""
    following = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    return following - timedelta(days=1)
