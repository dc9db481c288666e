"""A bar where a person is watching, a quiet line now and then where nobody is."""

import sys
import time
from collections.abc import Callable

from quant.core import logs

Tick = Callable[[int, int], None]  # (done, total)


def ticker(label: str, every: float = 30.0) -> Tick:
    """Return a callback that shows how far `label` is.

    every : seconds between lines where the output is not a terminal
    """
    return _bar(label) if sys.stderr.isatty() else _lines(label, every)


def _bar(label: str) -> Tick:
    from tqdm import tqdm

    bar: list[tqdm] = []

    def tick(done: int, total: int) -> None:
        if not bar:
            bar.append(tqdm(total=total, desc=f"          {label}", leave=False, unit=""))
        bar[0].update(done - bar[0].n)
        if done >= total:
            bar.pop().close()

    return tick


def _lines(label: str, every: float) -> Tick:
    last = time.monotonic()

    def tick(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= every and done < total:
            last = time.monotonic()
            logs.event(f"{label}: {done} of {total}", done=done, total=total)

    return tick


def silent(done: int, total: int) -> None:
    """Show nothing."""
