"""The yfinance library behind four questions: history, profile, screen, and what went wrong.

The library is used as it is: one `Ticker` a symbol, `screen` for the candidates. Its errors are
sorted into three: the vendor is busy (asked again), the answer is unreadable (asked again a few
times), the vendor does not have the symbol (None).
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pandas as pd

from quant.core.types import Frame
from quant.data.providers.download import Busy, Caller, Malformed

T = TypeVar("T")
TIMEZONE = "America/New_York"
EXCHANGES = ("NYQ", "NMS", "NGM", "NCM", "ASE")  # NYSE, three tiers of Nasdaq, NYSE American
PAGE = 250  # Yahoo's limit
RECEIVED = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Adj Close": "adj_close",
    "Volume": "volume",
    "Dividends": "dividend",
    "Stock Splits": "split",
}
PROFILE = ("sector", "industry", "sectorKey", "industryKey", "exchange", "quoteType")
_ABSENT = ("no data found", "delisted", "not found", "data doesn't exist", "no price data")


class Yahoo:
    """Yahoo's answers by the real client.

    base_url : where requests go instead of Yahoo's hosts (a mirror, a test server); "" = Yahoo
    """

    def __init__(self, caller: Caller, base_url: str = "") -> None:
        self.caller = caller
        self._session = _session(base_url)

    def history(self, symbol: str, start: date) -> Frame | None:
        """Return the daily rows of `symbol` from `start` to now as Yahoo sends them, or None.

        Prices, volumes and dividends are adjusted for every split up to now, which is why the
        window always ends now: a later split could not be undone otherwise.
        """
        import yfinance

        def ask() -> Frame | None:
            ticker = yfinance.Ticker(symbol, session=self._session)
            ticker._tz = TIMEZONE  # saves a request for the time zone of every symbol
            frame = ticker.history(
                start=start.isoformat(),
                # after now, so that the library's own cache never answers a repeated request
                end=(datetime.now() + timedelta(days=2)).date().isoformat(),
                interval="1d",
                auto_adjust=False,
                actions=True,
                timeout=self.caller.patience.timeout,
            )
            return _received(symbol, frame)

        return self._call(f"the history of {symbol}", ask)

    def profile(self, symbol: str) -> dict[str, str | None] | None:
        """Return sector, industry, their keys, exchange and quote type of `symbol`, or None."""
        import yfinance

        def ask() -> dict[str, str | None] | None:
            info = yfinance.Ticker(symbol, session=self._session).get_info()
            if not isinstance(info, dict):
                raise Malformed(f"a profile is a mapping, not {type(info).__name__}")
            if not info.get("quoteType") and not info.get("sector"):
                return None
            return {name: _text(info.get(name)) for name in PROFILE}

        return self._call(f"the profile of {symbol}", ask)

    def screen(self, size: int) -> list[tuple[str, str]]:
        """Return (symbol, exchange) of the `size` largest US equities by market value."""
        import yfinance
        from yfinance import EquityQuery

        query = EquityQuery(
            "and",
            [EquityQuery("eq", ["region", "us"]), EquityQuery("is-in", ["exchange", *EXCHANGES])],
        )
        found: list[tuple[str, str]] = []
        offset, total = 0, size
        while offset < min(size, total):

            def ask(offset: int = offset) -> dict[str, Any]:
                answer = yfinance.screen(
                    query,
                    offset=offset,
                    size=min(PAGE, size - offset),
                    sortField="intradaymarketcap",
                    sortAsc=False,
                    session=self._session,
                )
                if not isinstance(answer.get("quotes"), list) or "total" not in answer:
                    raise Malformed(f"a screen has quotes and total, not {sorted(answer)}")
                return answer

            answer = self._call(f"page {offset // PAGE + 1} of the equity screen", ask) or {}
            quotes = answer.get("quotes", [])
            found += [
                (str(q["symbol"]), str(q.get("exchange", "")))
                for q in quotes
                if q.get("symbol") and q.get("quoteType", "EQUITY") == "EQUITY"
            ]
            total = int(answer.get("total", 0))
            offset += len(quotes)
            if not quotes:
                break
        return found

    def _call(self, what: str, ask: Callable[[], T]) -> T | None:
        return self.caller.call(what, lambda: _sorted_errors(ask))


def _sorted_errors(ask: Callable[[], T]) -> T | None:
    """Return what `ask` returns, None where Yahoo does not know the symbol, or raise a cause."""
    from yfinance.exceptions import YFRateLimitError, YFTickerMissingError

    try:
        with _errors_raised():
            return ask()
    except (Busy, Malformed):
        raise
    except YFRateLimitError:
        raise Busy("429 Too Many Requests") from None
    except YFTickerMissingError as error:
        reason = str(error)
        if any(word in reason.lower() for word in _ABSENT):
            return None
        raise Busy(reason[:200]) from None
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status == 404:
            return None
        if status is not None and (status == 429 or status >= 500):
            raise Busy(f"HTTP {status}") from None
        text = f"{type(error).__name__}: {str(error)[:160]}"
        if isinstance(error, OSError) and not isinstance(error, ValueError):
            raise Busy(text) from None
        raise Malformed(text) from None


@contextlib.contextmanager
def _errors_raised() -> Iterator[None]:
    """Let the library raise its errors instead of logging them and returning nothing."""
    from yfinance.config import YfConfig

    # set and left on: threads share the setting, and nothing else in a run asks the library
    YfConfig.debug.hide_exceptions = False
    yield


def _received(symbol: str, frame: Frame) -> Frame | None:
    if frame.empty:
        return None
    lacking = [name for name in RECEIVED if name not in frame.columns]
    if lacking:
        raise Malformed(f"the history of {symbol} lacks {lacking}")
    rows = frame[list(RECEIVED)].rename(columns=RECEIVED).astype("float64")
    local = pd.DatetimeIndex(frame.index).tz_localize(None).normalize()
    rows.insert(0, "date", local.astype("datetime64[ns]"))
    rows.insert(1, "symbol", symbol)
    return rows.reset_index(drop=True)


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str) and value.strip() else None


def _session(base_url: str) -> Any:
    """Return the library's own session; with `base_url`, one whose every request goes there."""
    from yfinance._http import new_session

    session = new_session()
    if not base_url:
        return session
    send = session.request

    def redirected(method: str, url: str, **options: Any) -> Any:
        parts = urlsplit(url)
        target = f"{base_url.rstrip('/')}{parts.path}"
        return send(method, f"{target}?{parts.query}" if parts.query else target, **options)

    session.request = redirected
    return session
