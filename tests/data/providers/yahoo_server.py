"""A local HTTP server that speaks Yahoo's protocol, with faults on demand."""

import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pandas as pd
from exchange_calendars import get_calendar


@dataclass
class Stock:
    """One listing as it really traded: prices and dividends as of their day."""

    days: pd.DatetimeIndex
    close: np.ndarray
    volume: np.ndarray
    dividends: dict[str, float] = field(default_factory=dict)
    splits: dict[str, tuple[int, int]] = field(default_factory=dict)
    sector: str = "technology"
    industry: str = "software"
    exchange: str = "NMS"
    timezone: str = "America/New_York"

    def later(self, day: pd.Timestamp, upto: pd.Timestamp) -> float:
        """Product of the split ratios after `day` that are effective at `upto`."""
        return float(
            np.prod(
                [n / d for at, (n, d) in self.splits.items() if day < pd.Timestamp(at) <= upto]
                or [1.0]
            )
        )


def stock(seed: int, start="2018-01-02", end="2019-12-31", **more) -> Stock:
    days = get_calendar("XNYS").sessions_in_range(start, end)
    draw = np.random.default_rng(seed)
    close = np.round(50 * np.exp(np.cumsum(draw.normal(0, 0.01, len(days)))), 2)
    level = close.copy()
    for at, (new, old) in more.get("splits", {}).items():
        level[days >= pd.Timestamp(at)] *= old / new
    volume = np.round(draw.uniform(1e5, 1e6, len(days)))
    return Stock(days, np.round(level, 2), volume, **more)


class Yahoo:
    """The state of the server: what it lists, what it refuses, what it was asked."""

    def __init__(self, stocks: dict[str, Stock], today: str) -> None:
        self.stocks = stocks
        self.today = pd.Timestamp(today)
        self.asked: Counter = Counter()
        self.log: list[str] = []
        self.busy: Counter = Counter()  # symbol -> answers of 429 still to give; -1 = for ever
        self.broken: Counter = Counter()  # symbol -> unreadable answers still to give
        self.hidden: Counter = Counter()  # symbol -> answers of "not found" still to give
        self.failing: Counter = Counter()  # symbol -> answers of 500 still to give
        self.nulls: dict[str, list[str]] = {}  # symbol -> days with null prices
        self.rewrites: dict[tuple[str, str], float] = {}  # (symbol, day) -> close as traded
        self.dropped: set[tuple[str, str]] = set()
        self.screened: list[str] | None = None
        self.on_chart = lambda symbol: None
        self.url = ""

    def take(self, faults: Counter, symbol: str) -> bool:
        if faults[symbol] == 0:
            return False
        if faults[symbol] > 0:
            faults[symbol] -= 1
        return True

    def chart(self, symbol: str, first: float) -> dict | None:
        s = self.stocks.get(symbol)
        if s is None or self.take(self.hidden, symbol):
            return None
        keep = (s.days <= self.today) & (s.days >= pd.Timestamp(first, unit="s").normalize())
        keep &= np.array([(symbol, f"{d:%Y-%m-%d}") not in self.dropped for d in s.days])
        days = s.days[keep]
        close = np.array(
            [
                self.rewrites.get((symbol, f"{d:%Y-%m-%d}"), c)
                for d, c in zip(days, s.close[keep], strict=True)
            ]
        )
        later = np.array([s.later(d, self.today) for d in days])
        stamps = [
            int((d.tz_localize(s.timezone) + pd.Timedelta(hours=9.5)).timestamp()) for d in days
        ]
        gone = self.nulls.get(symbol, [])
        price = [
            None if f"{d:%Y-%m-%d}" in gone else float(np.float32(c))
            for d, c in zip(days, close / later, strict=True)
        ]
        scaled = lambda k: [None if p is None else p * k for p in price]  # noqa: E731
        quote = {
            "open": scaled(1.0),
            "high": scaled(1.01),
            "low": scaled(0.99),
            "close": price,
            "volume": [int(round(v * k)) for v, k in zip(s.volume[keep], later, strict=True)],
        }
        stamp = lambda at: int(  # noqa: E731
            (pd.Timestamp(at).tz_localize(s.timezone) + pd.Timedelta(hours=9.5)).timestamp()
        )
        lo, hi = (days[0], self.today) if len(days) else (self.today, self.today)
        inside = lambda at: lo <= pd.Timestamp(at) <= hi  # noqa: E731
        events = {
            "dividends": {
                str(stamp(at)): {
                    "amount": v / s.later(pd.Timestamp(at), self.today),
                    "date": stamp(at),
                }
                for at, v in s.dividends.items()
                if inside(at)
            },
            "splits": {
                str(stamp(at)): {
                    "date": stamp(at),
                    "numerator": n,
                    "denominator": d,
                    "splitRatio": f"{n}:{d}",
                }
                for at, (n, d) in s.splits.items()
                if inside(at)
            },
        }
        meta = {
            "currency": "USD",
            "symbol": symbol,
            "exchangeName": s.exchange,
            "instrumentType": "EQUITY",
            "exchangeTimezoneName": s.timezone,
            "timezone": "EST",
            "gmtoffset": -18000,
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "max"],
            "regularMarketTime": stamps[-1] if stamps else 0,
            "currentTradingPeriod": {
                name: {"timezone": "EST", "start": 0, "end": 1, "gmtoffset": -18000}
                for name in ("pre", "regular", "post")
            },
        }
        indicators = {"quote": [quote], "adjclose": [{"adjclose": price}]}
        return {"meta": meta, "timestamp": stamps, "events": events, "indicators": indicators}

    def profile(self, symbol: str) -> dict | None:
        s = self.stocks.get(symbol)
        if s is None:
            return None
        return {
            "assetProfile": {
                "sector": s.sector.title(),
                "sectorKey": s.sector,
                "industry": s.industry.title(),
                "industryKey": s.industry,
                "maxAge": 86400,
            },
            "quoteType": {"exchange": s.exchange, "quoteType": "EQUITY", "symbol": symbol},
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    yahoo: Yahoo

    def log_message(self, *args) -> None:
        pass

    def reply(self, status: int, body: str, kind: str = "application/json") -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        y = self.yahoo
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        y.log.append(parts.path)
        name = unquote(parts.path.rsplit("/", 1)[-1]).upper()
        if parts.path.endswith("/getcrumb"):
            return self.reply(200, "crumb", "text/plain")
        if "/v8/finance/chart/" in parts.path:
            y.asked[name] += 1
            y.on_chart(name)
            if y.take(y.busy, name):
                return self.reply(429, "Too Many Requests", "text/plain")
            if y.take(y.failing, name):
                return self.reply(500, "<html>oops</html>", "text/html")
            if y.take(y.broken, name):
                return self.reply(200, '{"chart": {"result": [{"meta": {')
            result = y.chart(name, float(query.get("period1", 0)))
            if result is None:
                error = {
                    "code": "Not Found",
                    "description": "No data found, symbol may be delisted",
                }
                return self.reply(404, json.dumps({"chart": {"result": None, "error": error}}))
            return self.reply(200, json.dumps({"chart": {"result": [result], "error": None}}))
        if "/v10/finance/quoteSummary/" in parts.path:
            y.asked["profile " + name] += 1
            profile = y.profile(name)
            if profile is None:
                error = {"code": "Not Found", "description": "Quote not found"}
                return self.reply(
                    404, json.dumps({"quoteSummary": {"result": None, "error": error}})
                )
            return self.reply(
                200, json.dumps({"quoteSummary": {"result": [profile], "error": None}})
            )
        if "/v7/finance/quote" in parts.path:
            return self.reply(200, json.dumps({"quoteResponse": {"result": [], "error": None}}))
        if "/ws/fundamentals-timeseries/" in parts.path:
            return self.reply(200, json.dumps({"timeseries": {"result": [], "error": None}}))
        return self.reply(200, "<html></html>", "text/html")

    def do_POST(self) -> None:
        y = self.yahoo
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        y.log.append("screen")
        names = sorted(y.screened if y.screened is not None else y.stocks)
        page = names[body["offset"] : body["offset"] + min(body["size"], 2)]
        quotes = [{"symbol": n, "exchange": "NMS", "quoteType": "EQUITY"} for n in page]
        result = {
            "total": len(names),
            "start": body["offset"],
            "count": len(page),
            "quotes": quotes,
        }
        self.reply(200, json.dumps({"finance": {"result": [result], "error": None}}))


@contextmanager
def serve(yahoo: Yahoo):
    handler = type("Handler", (_Handler,), {"yahoo": yahoo})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that was killed leaves a broken pipe
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yahoo.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield yahoo
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def noon(day: str) -> datetime:
    """An aware time late on `day` in New York: its bar is final."""
    return pd.Timestamp(f"{day} 20:00", tz="America/New_York").to_pydatetime()
