"""One feature, and how a family's module lists its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from quant.core.types import Matrix, Vector
from quant.features.view import View


@dataclass(frozen=True)
class Producer:
    """One feature.

    name, family : column and chapter; the family is the module of its function
    function     : View -> (n_days, n_assets); where there are bases, (values of the first base,
                   ..., Section) -> (n_rows,)
    lookback     : sessions before t on which its value may depend; a suspension may reach
                   CARRY sessions further back, for the last traded price
    text, source : what it is and where it comes from, of the function's docstring
    windows      : its parameters, in sessions
    bases        : the features it compares across names
    """

    name: str
    family: str
    function: Callable[[View], Matrix] | Callable[..., Vector]
    lookback: int
    text: str
    source: str
    windows: dict[str, int] = field(default_factory=dict)
    bases: tuple["Producer", ...] = ()


def row(name: str, function: Callable[..., Matrix], more: int = 0, **windows: int) -> Producer:
    """A feature along time; its oldest observation is `window` + `more` sessions old."""
    lookback = windows.get("window", 1) + more
    return Producer(
        name,
        _family(function),
        partial(function, **windows),
        lookback,
        _text(function),
        _source(function),
        windows,
    )


def across(name: str, function: Callable[..., Vector], *bases: Producer) -> Producer:
    """A feature across the names of the day, of one or more features along time."""
    lookback = max(base.lookback for base in bases)
    return Producer(
        name,
        _family(function),
        function,
        lookback,
        _text(function),
        _source(function),
        bases=bases,
    )


def _family(function: Callable[..., object]) -> str:
    return function.__module__.rpartition(".")[2]


def _text(function: Callable[..., object]) -> str:
    """The first paragraph of the docstring, up to its source."""
    paragraph = (function.__doc__ or "").partition("Source:")[0].partition("\n\n")[0]
    return " ".join(paragraph.split())


def _source(function: Callable[..., object]) -> str:
    """What follows `Source:` in the docstring."""
    return " ".join((function.__doc__ or "").partition("Source:")[2].split()).rstrip(".")
