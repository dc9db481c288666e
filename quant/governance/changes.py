"""What changed in the settings between two states of conf/, and whether the changelog says so.

Compared by meaning: what a run would be composed of, choice by choice. A comment, the order of keys
or a key that moved from one file to another changes nothing that a run would see. An entry of the
changelog (a bullet) counts where it is new, names the key in backticks, whole or from a dot on, and
holds the old and the new value; a new or removed part may be named by what it stands under.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# choice ("region=cn", "region=us rl=ppo") -> dotted key -> value
Composed = Mapping[str, Mapping[str, Any]]

_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One value that a run would see differently.

    key      : dotted, or "group=option" of a choice that is new or gone
    old, new : as the changelog writes them; "none" where there is none
    where    : choices that see it
    """

    key: str
    old: str
    new: str
    where: tuple[str, ...]

    @property
    def line(self) -> str:
        """The entry that is asked for."""
        return f"- `{self.key}` ({self.old} → {self.new}): why"


def changes(before: Composed, after: Composed) -> list[Change]:
    """Every changed value once, in the order of its key."""
    seen: dict[tuple[str, str, str], list[str]] = {}
    for choice in [*before, *(c for c in after if c not in before)]:
        if choice not in before or choice not in after:
            key = choice.split()[-1]
            told = ("none", "new") if choice in after else ("there", "none")
            seen.setdefault((key, *told), []).append(choice)
            continue
        old, new = before[choice], after[choice]
        for key in [*old, *(k for k in new if k not in old)]:
            a, b = old.get(key, _ABSENT), new.get(key, _ABSENT)
            if a is _ABSENT or b is _ABSENT or _differ(a, b):
                seen.setdefault((key, written(a), written(b)), []).append(choice)
    return [Change(*what, tuple(where)) for what, where in sorted(seen.items())]


def _differ(a: Any, b: Any) -> bool:
    if isinstance(a, bool) != isinstance(b, bool):
        return True
    return bool(a != b)


def written(value: Any) -> str:
    """A value as the changelog writes it."""
    if value is _ABSENT:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.12g}"
    return json.dumps(value)


def entries(changelog: str) -> list[str]:
    """Bullets with the lines that go on with them, white space made one blank."""
    found: list[list[str]] = []
    for line in changelog.splitlines():
        if re.match(r"[-*] ", line):
            found.append([line[2:]])
        elif found and line.startswith(" ") and found[-1]:
            found[-1].append(line)
        elif line.strip():
            found.append([])  # a heading or a paragraph ends the bullet
    return [" ".join(" ".join(lines).split()) for lines in found if lines]


def unlogged(found: Iterable[Change], before: str, after: str) -> list[Change]:
    """Those that no new entry of the changelog tells.

    before, after : the changelog's text
    """
    known = set(entries(before))
    new = [entry for entry in entries(after) if entry not in known]
    return [change for change in found if not _told(change, new)]


def _told(change: Change, new: list[str]) -> bool:
    named = [entry for entry in new if _names(change, entry)]
    if not named:
        return False
    if "none" in (change.old, change.new):
        return True
    # a value that changed twice is told by two entries
    words = {w for entry in named for w in _words(entry)}
    text = " ".join(named)
    return all(_holds(value, words, text) for value in (change.old, change.new))


def _names(change: Change, entry: str) -> bool:
    tokens = re.findall(r"`([^`]+)`", entry)
    for token in [t for t in tokens if "=" in t]:  # `group=one | other`
        group, options = token.split("=", 1)
        tokens += [group, *(f"{group}={option.strip()}" for option in options.split("|"))]
    whole = "." + change.key
    if any(whole.endswith("." + token) for token in tokens):
        return True
    under = "none" in (change.old, change.new)
    return under and any(whole.startswith(f".{token}.") for token in tokens)


def _words(entry: str) -> set[str]:
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", entry.replace("`", " "))
    return {word.rstrip(".:") for word in re.split(r"[\s(),;→=]+", plain)}


def _holds(value: str, words: set[str], text: str) -> bool:
    if value in words or value.strip('"') in words:
        return True
    number = _number(value)
    if number is not None:
        return any(_number(word) == number for word in words)
    parts = re.findall(r"[^\s\[\]{},:\"]+", value)
    return bool(parts) and all(part in text for part in parts)


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
