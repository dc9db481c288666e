"""Asking a vendor politely: pacing, retry with exponential back-off, one clear error at the end."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from quant.core.errors import ConfigError, ProviderError
from quant.core.seeds import generator

T = TypeVar("T")
Tick = Callable[[int, int], None]  # (done, total)


class Busy(Exception):
    """The vendor asks us to wait, is out of reach or answers with a server error: try again."""


class Malformed(Exception):
    """The vendor's answer can not be read; asked again a few times, then it is its fault."""


@dataclass(frozen=True)
class Patience:
    """How a vendor is asked, and for how long it is asked again.

    attempts     : how often one request is sent before the download stops with an error
    malformed    : how often a request is sent whose answer can not be read
    first_wait   : seconds before the second attempt; doubled each time
    longest_wait : seconds, at most
    per_minute   : requests a minute, spaced evenly; 0 = as fast as the answers come
    timeout      : seconds a request may take
    seed         : of the jitter on the waits (x 0.75 to 1.25); None = no jitter
    """

    attempts: int = 8
    malformed: int = 3
    first_wait: float = 2.0
    longest_wait: float = 300.0
    per_minute: float = 0.0
    timeout: float = 30.0
    seed: int | None = 42
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.malformed < 1 or self.first_wait < 0 or self.timeout <= 0:
            raise ConfigError(
                f"{self}: attempts and malformed are at least 1, first_wait at least 0 and "
                "timeout above 0; correct the provider's download settings."
            )


class Caller:
    """Sends requests to one vendor under one `Patience`; counts them; safe across threads."""

    def __init__(self, vendor: str, patience: Patience) -> None:
        self.vendor = vendor
        self.patience = patience
        self.requests = 0
        self._lock = threading.Lock()
        self._next = 0.0
        seed = patience.seed
        self._jitter = None if seed is None else generator(seed, "download", vendor)

    def call(self, what: str, ask: Callable[[], T]) -> T:
        """Return `ask()`, sent again while the vendor is busy or its answer can not be read.

        Raises ProviderError where it stays busy, Malformed where its answer stays unreadable.
        """
        try:
            return self._until(Busy, self.patience.attempts)(
                self._until(Malformed, self.patience.malformed), self._paced, ask
            )
        except Busy as error:
            raise ProviderError(
                f"{self.vendor} did not answer {what} in {self.patience.attempts} attempts "
                f"({error}); everything downloaded so far is kept: wait a while and run the same "
                "command again, it goes on from here."
            ) from None

    def _until(self, kind: type[Exception], attempts: int) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(kind),
            stop=stop_after_attempt(attempts),
            wait=self._wait,
            sleep=self.patience.sleep,
            reraise=True,
        )

    def _wait(self, state: RetryCallState) -> float:
        wait = self.patience.first_wait * 2.0 ** (state.attempt_number - 1)
        if self._jitter is not None:
            with self._lock:
                wait *= 0.75 + 0.5 * float(self._jitter.random())
        return min(wait, self.patience.longest_wait)

    def _paced(self, ask: Callable[[], T]) -> T:
        with self._lock:
            self.requests += 1
            gap = 60.0 / self.patience.per_minute if self.patience.per_minute > 0 else 0.0
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + gap
        if start > now:
            self.patience.sleep(start - now)
        return ask()


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive pieces of `items` of at most `size`."""
    for start in range(0, len(items), max(size, 1)):
        yield items[start : start + size]


def settled(now: datetime, timezone: str, hour: int = 18) -> date:
    """Last exchange-local day whose bar is final at `now` (an aware time).

    A day counts from `hour` local time on: before that its bar may still change.
    """
    local = now.astimezone(ZoneInfo(timezone))
    return local.date() if local.hour >= hour else local.date() - timedelta(days=1)
