"""A local HTTP server that speaks Tushare's protocol, with faults on demand."""

import json
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
from exchange_calendars import get_calendar

SECRET = "5f3dc0ffee5f3dc0ffee"
TOO_FAST = "抱歉，您每分钟最多访问该接口200次，权限的具体详情访问：https://tushare.pro/document/1?doc_id=108。"
NOT_ALLOWED = (
    "抱歉，您没有访问该接口的权限，权限的具体详情访问：https://tushare.pro/document/1?doc_id=108。"
)
WRONG_TOKEN = "您的token不对，请确认。"
USED_UP = "抱歉，您每天最多访问该接口100次，权限的具体详情访问：https://tushare.pro/document/1?doc_id=108。"


def compact(day) -> str:
    return f"{pd.Timestamp(day):%Y%m%d}"


class Market:
    """A small market in Tushare's units; `tables` maps an interface to its rows."""

    def __init__(self, start: str, today: str) -> None:
        self.today = pd.Timestamp(today)
        self.days = get_calendar("XSHG").sessions_in_range(start, "2022-03-31")
        self.names = {
            "600001.SH": ("主板甲", "20100104", None, "L"),
            "000002.SZ": ("主板乙", "20100104", None, "L"),
            "300003.SZ": ("创业丙", "20100104", None, "L"),
            "600004.SH": ("退市丁", "20100104", "20211215", "D"),
            "T00018.SH": ("旧代码", "20000719", "20061020", "D"),
        }
        draw = np.random.default_rng(7)
        self.close: dict[str, pd.Series] = {}
        self.pre_close: dict[str, pd.Series] = {}
        self.factor: dict[str, pd.Series] = {}
        self.vol: dict[str, pd.Series] = {}
        for i, (name, (_, _, left, _)) in enumerate(self.names.items()):
            days = self.days[self.days < pd.Timestamp(left)] if left else self.days
            if not len(days):
                continue
            close = np.round(10 * (i + 1) * np.exp(np.cumsum(draw.normal(0, 0.005, len(days)))), 2)
            self.close[name] = pd.Series(close, days)
            self.pre_close[name] = self.close[name].shift(1).fillna(close[0])
            self.factor[name] = pd.Series(np.full(len(days), 100.0 + i), days)
            self.vol[name] = pd.Series(np.round(draw.uniform(1e4, 1e5, len(days)), 2), days)
        self.suspended: set[tuple[str, str]] = set()
        self.dividends: list[tuple] = []
        self.name_changes = [
            (name, row[0], "20100104", None) for name, row in self.names.items() if row[3] == "L"
        ]
        self.sw2021 = [
            ("801010.SI", "600001.SH", "20100104", None, "Y"),
            ("801780.SI", "000002.SZ", "20100104", None, "Y"),
            ("801950.SI", "300003.SZ", "20211213", None, "Y"),
            ("801780.SI", "600004.SH", "20100104", "20211215", "N"),
        ]
        self.sw2014 = [
            ("801010.SI", "600001.SH", "20140101", None, "Y"),
            ("801780.SI", "000002.SZ", "20140101", None, "Y"),
            ("801020.SI", "300003.SZ", "20140101", "20211212", "N"),
            ("801780.SI", "600004.SH", "20140101", None, "Y"),
        ]
        self.members = {"600001.SH": (None, None), "000002.SZ": (None, "20211231")}
        self.edits: dict[tuple[str, str, str], object] = {}  # (interface, code, day) -> row change
        self.dropped: set[tuple[str, str, str]] = set()
        self.no_total_return = False

        self.asked: Counter = Counter()
        self.log: list[tuple[str, dict]] = []
        self.busy: Counter = Counter()  # interface -> 429 still to give
        self.too_fast: Counter = Counter()
        self.broken: Counter = Counter()
        self.blank: Counter = Counter()  # interface -> empty answers still to give
        self.denied: set[str] = set()
        self.message: dict[str, str] = {}
        self.page = 10_000
        self.on_ask = lambda name, params: None
        self.url = ""

    def split(self, name: str, day: str, new: float, cash: float) -> None:
        """10送x派y on `day`: prices fall, the factor steps, the exchange states the reference."""
        at = pd.Timestamp(day)
        before = self.close[name][self.close[name].index < at].iloc[-1]
        reference = round((before - cash) / (1 + new), 2)
        scale = reference / before
        late = self.close[name].index >= at
        self.close[name][late] = (self.close[name][late] * scale).round(2)
        self.pre_close[name] = self.close[name].shift(1).fillna(self.close[name].iloc[0])
        self.pre_close[name][at] = reference
        self.factor[name][late] *= before / reference
        self.dividends.append((name, compact(day), "实施", new, cash))
        self.dividends.append((name, compact(day), "预案", new, cash))

    def on(self, day: str) -> list[str]:
        at = pd.Timestamp(day)
        if at > self.today:
            return []
        return [
            n for n, c in self.close.items() if at in c.index and (n, day) not in self.suspended
        ]

    def rows(self, api: str, p: dict) -> list[dict]:
        day = p.get("trade_date") or p.get("ex_date") or ""
        if api == "daily":
            return [
                {
                    "ts_code": n, "trade_date": day, "open": self.close[n][day],
                    "high": round(self.close[n][day] * 1.01, 2),
                    "low": round(self.close[n][day] * 0.99, 2), "close": self.close[n][day],
                    "pre_close": self.pre_close[n][day], "vol": self.vol[n][day],
                    "amount": round(self.vol[n][day] * self.close[n][day] / 10, 3),
                }
                for n in self.on(day)
            ]  # fmt: skip
        at = pd.Timestamp(day) if day else self.today
        if api == "adj_factor":
            listed = [n for n, f in self.factor.items() if at in f.index and at <= self.today]
            return [
                {"ts_code": n, "trade_date": day, "adj_factor": self.factor[n][day]} for n in listed
            ]
        if api == "daily_basic":
            return [{"ts_code": n, "trade_date": day, "float_share": 5000.0} for n in self.on(day)]
        if api == "stk_limit":
            return [
                {
                    "ts_code": n, "trade_date": day,
                    "up_limit": round(self.pre_close[n][day] * 1.1, 2),
                    "down_limit": round(self.pre_close[n][day] * 0.9, 2),
                }
                for n in self.on(day)
            ]  # fmt: skip
        if api == "dividend":
            keys = ("ts_code", "ex_date", "div_proc", "stk_div", "cash_div_tax")
            return [dict(zip(keys, d, strict=True)) for d in self.dividends if d[1] == day]
        if api == "stock_basic":
            return [
                {
                    "ts_code": n, "name": r[0], "list_status": r[3], "list_date": r[1],
                    "delist_date": r[2] if r[2] and pd.Timestamp(r[2]) <= self.today else None,
                }
                for n, r in self.names.items()
                if r[3] == p["list_status"]
            ]  # fmt: skip
        if api == "namechange":
            keys = ("ts_code", "name", "start_date", "end_date")
            return [dict(zip(keys, r, strict=True)) for r in self.name_changes]
        if api == "index_classify":
            codes = {"801010.SI": "110000", "801780.SI": "480000"}
            codes |= {"801950.SI": "740000"} if p["src"] == "SW2021" else {"801020.SI": "210000"}
            return [
                {"index_code": c, "industry_code": i, "industry_name": "x"}
                for c, i in codes.items()
            ]
        if api in ("index_member_all", "index_member"):
            new = api == "index_member_all"
            keys = ("l1_code", "ts_code") if new else ("index_code", "con_code")
            return [
                dict(zip((*keys, "in_date", "out_date"), r[:4], strict=True))
                for r in (self.sw2021 if new else self.sw2014)
                if r[0] == p[keys[0]] and r[4] == p["is_new"]
            ]
        low, high = pd.Timestamp(p["start_date"]), pd.Timestamp(p["end_date"])
        days = self.days[(self.days >= low) & (self.days <= min(high, self.today))]
        if api == "index_weight":
            out = []
            last_of_month = self.days.to_series().groupby(self.days.to_period("M")).max()
            days = days[days.isin(last_of_month)]
            for n, (first, last) in self.members.items():
                out += [
                    {
                        "index_code": p["index_code"],
                        "con_code": n,
                        "trade_date": compact(d),
                        "weight": 1.0,
                    }
                    for d in days
                    if (not first or d >= pd.Timestamp(first))
                    and (not last or d < pd.Timestamp(last))
                ]
            return out
        if api == "index_daily":
            if p["ts_code"].startswith("H") and self.no_total_return:
                return []
            return [
                {"ts_code": p["ts_code"], "trade_date": compact(d), "close": 4000.0 + i}
                for i, d in enumerate(days)
            ]
        raise KeyError(api)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    market: Market

    def log_message(self, *args) -> None:
        pass

    def reply(self, status: int, body: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, message: str, code: int = 40203) -> None:
        self.reply(200, json.dumps({"request_id": "", "code": code, "msg": message, "data": None}))

    def take(self, faults: Counter, api: str) -> bool:
        if faults[api] == 0:
            return False
        faults[api] -= faults[api] > 0
        return True

    def do_POST(self) -> None:
        m = self.market
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        api, params = body["api_name"], body["params"]
        m.asked[api] += 1
        m.log.append((api, params))
        m.on_ask(api, params)
        if body["token"] != SECRET:
            return self.refuse(f"{WRONG_TOKEN} ({body['token']})", 40101)
        if api in m.message:
            return self.refuse(m.message[api])
        if api in m.denied:
            return self.refuse(NOT_ALLOWED, 2002)
        if self.take(m.busy, api):
            return self.reply(429, "Too Many Requests")
        if self.take(m.too_fast, api):
            return self.refuse(TOO_FAST)
        if self.take(m.broken, api):
            return self.reply(200, '{"code": 0, "data": {"fields": ["ts_co')
        rows = [] if self.take(m.blank, api) else m.rows(api, params)
        fields = body["fields"].split(",")
        day = params.get("trade_date", "")
        rows = [
            {**r, **m.edits.get((api, r.get("ts_code", ""), day), {})}
            for r in rows
            if (api, r.get("ts_code", ""), day) not in m.dropped
        ]
        offset, limit = int(params.get("offset", 0)), int(params.get("limit", 10**6))
        page = rows[offset : offset + limit]
        items = [[_plain(r.get(f)) for f in fields] for r in page]
        data = {"fields": fields, "items": items, "has_more": False}
        self.reply(200, json.dumps({"request_id": "", "code": 0, "msg": "", "data": data}))


def _plain(value):
    return float(value) if isinstance(value, np.floating) else value


@contextmanager
def serve(market: Market):
    handler = type("Handler", (_Handler,), {"market": market})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that was killed leaves a broken pipe
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    market.url = f"http://127.0.0.1:{server.server_port}/dataapi"
    try:
        yield market
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def evening(day) -> datetime:
    """An aware time late on `day` in Shanghai: its bar is final."""
    return pd.Timestamp(f"{pd.Timestamp(day):%Y-%m-%d} 20:00", tz="Asia/Shanghai").to_pydatetime()
