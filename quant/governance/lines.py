"""Appending to a ledger of lines."""

from pathlib import Path


def append(path: Path, text: str) -> None:
    """Append whole lines; a last line that an editor left without its end is ended first.

    text : ends in a newline; whoever calls holds the ledger's lock
    """
    with open(path, "ab+") as handle:
        if handle.tell():
            handle.seek(-1, 2)
            if handle.read(1) != b"\n":
                text = "\n" + text
        handle.write(text.encode("utf-8"))
