"""What a planted leak is, and how one is enrolled."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

Apply = Callable[[], AbstractContextManager]

REPLAY = "replay"
CATALOGUE: list["Leak"] = []


@dataclass(frozen=True)
class Leak:
    """One careless variant of the pipeline.

    mechanism : how the future gets in; variants of one mechanism share it
    stage     : the first stage whose tables it spoils
    apply     : context in which the pipeline has the leak
    inflates  : a figure of tests.leaks.figures
    market    : one of tests.leaks.markets, on which the leak has something to gain
    check     : what must catch it: the replay, or a check of tests.leaks.checks by name
    """

    name: str
    mechanism: str
    stage: str
    apply: Apply
    inflates: str
    market: str = "us"
    check: str = REPLAY


def leak(mechanism: str, stage: str, inflates: str, **more: str) -> Callable[[Callable], Callable]:
    """Enrol a function that returns the patches of one leak."""

    def enrol(function: Callable[[], Any]) -> Callable:
        @contextmanager
        def apply() -> Iterator[None]:
            patches = function()
            with ExitStack() as stack:
                for one in patches if isinstance(patches, list) else [patches]:
                    stack.enter_context(one)
                yield

        name = function.__name__.replace("_", " ")
        CATALOGUE.append(Leak(name, mechanism, stage, apply, inflates, **more))
        return function

    return enrol


def instead(owner: Any, name: str, new: Any) -> AbstractContextManager:
    """`owner.name` is `new` for a while."""
    return patch.object(owner, name, new)
