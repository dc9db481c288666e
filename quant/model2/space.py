"""The search space: which settings may move, between which bounds."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quant.core.errors import ConfigError

Value = int | float | str
WORDS = ("low", "high", "log", "step", "choices")
DIGITS = 3  # significant ones of a real setting: more can not be told apart


@dataclass(frozen=True)
class Dial:
    """One setting that may move: between `low` and `high`, both included, or among `choices`.

    name : dotted; whole : takes whole numbers, every `step`-th; log : even steps are ratios
    """

    name: str
    whole: bool = False
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: int = 1
    choices: tuple[Value, ...] = ()

    def of(self, drawn: Any) -> Value:
        """A drawn value as the setting takes it; what is printed is what was tried."""
        if self.choices or self.whole:
            return drawn
        return min(max(float(f"{drawn:.{DIGITS}g}"), self.low), self.high)

    def holds(self, value: Value) -> bool:
        """Whether the setting's present value is one that a search could draw."""
        if self.choices:
            return value in self.choices
        on_step = not self.whole or (float(value) - self.low) % self.step == 0
        return self.low <= float(value) <= self.high and on_step

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that a check of the whole range needs."""
        kind = int if self.whole else float
        return self.choices or (kind(self.low), kind(self.high))


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted keys."""
    out: dict[str, Any] = {}
    for key, value in tree.items():
        inside = isinstance(value, Mapping)
        out |= flat(value, f"{prefix}{key}.") if inside else {f"{prefix}{key}": value}
    return out


def dials(space: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[Dial, ...]:
    """The dials of a search space.

    space    : nested as the settings are; each leaf is {low, high}, with log or step, or {choices}
    settings : nested, as they stand: they say which keys there are and which are whole numbers
    Raises ConfigError for an empty space, an unknown key, and bounds that make no range
    """
    known = {k: v for k, v in flat(settings).items() if _tunable(v)}
    return some(_dial(name, said, known) for name, said in _leaves(space))


def some(found: Iterable[Dial]) -> tuple[Dial, ...]:
    """The dials. Raises ConfigError where there is none."""
    kept = tuple(found)
    if not kept:
        raise ConfigError(
            "tune.space has nothing to search for these models; name at least one setting with its "
            "bounds, for example boost: {leaves: {low: 7, high: 63}} under tune.space."
        )
    return kept


def _tunable(value: Any) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if not isinstance(value, Mapping) or not value:
            raise ConfigError(
                f"tune.space.{name}={value!r} is no range; write {{low: .., high: ..}} or "
                "{choices: [..]}."
            )
        if set(value) & set(WORDS):
            yield name, value
        else:
            yield from _leaves(value, f"{name}.")


def _dial(name: str, said: Mapping[str, Any], known: Mapping[str, Any]) -> Dial:
    where = f"tune.space.{name}"
    unknown = sorted(set(said) - set(WORDS))
    if unknown:
        raise ConfigError(f"{where} has {unknown}; it may have {', '.join(WORDS)}.")
    if name not in known:
        raise ConfigError(
            f"{where}: model2.{name} is no setting that can be searched; known are "
            f"{', '.join(sorted(known))}."
        )
    whole = isinstance(known[name], int)
    if "choices" in said:
        return _choice(name, where, said, type(known[name]))
    if isinstance(known[name], str):
        raise ConfigError(f"{where}: model2.{name} is a text; give choices: [..], not bounds.")
    low, high = said.get("low"), said.get("high")
    log, step = said.get("log", False), said.get("step", 1)
    for word, value in (("low", low), ("high", high)):
        number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not number:
            kind = "whole number" if whole else "number"
            raise ConfigError(f"{where}.{word}={value!r} is no {kind}; give low and high as such.")
    if not low < high:
        raise ConfigError(f"{where}: low={low:g} is not below high={high:g}; exchange them.")
    if log and low <= 0:
        raise ConfigError(f"{where}: low={low:g} has no logarithm; raise it, or leave log out.")
    if step != 1 and (not whole or log or step < 1 or (high - low) % step):
        raise ConfigError(
            f"{where}: step={step} must divide high - low of whole numbers, without log; "
            "change it, or leave it out."
        )
    return Dial(name, whole, low, high, bool(log), int(step))


def _choice(name: str, where: str, said: Mapping[str, Any], kind: type) -> Dial:
    choices = tuple(said["choices"] or ())
    if set(said) != {"choices"} or len(set(choices)) < 2:
        raise ConfigError(
            f"{where}: choices={list(choices)} must be two different values or more, and stand "
            "alone; give those, or low and high."
        )
    wrong = [c for c in choices if not isinstance(c, kind if kind is not float else int | float)]
    if wrong:
        raise ConfigError(
            f"{where}: the choice {wrong[0]!r} is no {kind.__name__}, as model2.{name} is; "
            "write it as such."
        )
    return Dial(name, kind is int, choices=choices)
