"""The blocks of a page as Markdown, with every figure a picture of its own."""

import re
from collections.abc import Iterator, Sequence

from quant.reporting.blocks import (
    Answer,
    Block,
    Cell,
    Drawers,
    Figure,
    Grid,
    Items,
    Tabular,
    Text,
    Tiles,
    Verbatim,
)
from quant.reporting.page import style

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def plain(text: str) -> str:
    """`text` with everything that Markdown would read as a sign put in front of a backslash."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A table; the first `texts` columns stand left, the others right."""
    rule = [":--" if i < texts else "--:" for i in range(len(head))]
    lines = [[plain(v) for v in head], rule, *([plain(v) for v in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def render(blocks: Sequence[Block], folder: str, pictures: dict[str, str]) -> str:
    """Markdown of `blocks`.

    folder   : of the pictures, as seen from the text
    pictures : file name -> SVG; filled
    """
    return "\n\n".join(part for block in blocks for part in _parts(block, folder, pictures))


def _parts(block: Block, folder: str, pictures: dict[str, str]) -> Iterator[str]:
    if isinstance(block, Text):
        yield f"### {plain(block.text)}" if block.kind == "sub" else plain(block.text)
    elif isinstance(block, Answer):
        yield f"**{plain(block.headline)}**"
        yield plain(" ".join(block.sentences))
    elif isinstance(block, Figure):
        yield from _figure(block, folder, pictures)
    elif isinstance(block, Grid):
        for inner in block.blocks:
            yield from _parts(inner, folder, pictures)
    elif isinstance(block, Tabular):
        yield f"**{plain(block.title)}**"
        rows = [[cell.text if isinstance(cell, Cell) else str(cell) for cell in row]
                for row in block.rows]  # fmt: skip
        yield table(block.head, rows, block.texts)
        if block.foot:
            yield plain(block.foot)
    elif isinstance(block, Tiles):
        rows = [(tile.name, tile.value, tile.detail) for tile in block.tiles]
        yield table(("", "", ""), rows, 3)
        if block.foot:
            yield plain(block.foot)
    elif isinstance(block, Items):
        yield "\n".join(f"- {plain(item)}" for item in block.items)
    elif isinstance(block, Verbatim):
        yield f"**{plain(block.title)}**"
        yield f"```\n{block.text.rstrip()}\n```"
    elif isinstance(block, Drawers):
        rows = [(row.name, row.group, row.value) for row in block.tabs[0][1]]
        yield f"**{plain(block.title)}**"
        yield table(("", "", ""), rows, 2)


def _figure(block: Figure, folder: str, pictures: dict[str, str]) -> Iterator[str]:
    key = re.search(r"id='([^']+)-w-t'", str(block.wide))
    name = f"{key.group(1) if key else f'figure-{len(pictures)}'}.svg"
    pictures[name] = standalone(str(block.wide))
    yield f"![{plain(block.title)}]({folder}/{name})"
    if block.caption:
        yield plain(block.caption)


def standalone(svg: str) -> str:
    """A drawing of the page as a file: it brings the style sheet and a background."""
    opening, rest = svg.split(">", 1)
    css = f"<style>{style()} svg{{background:var(--paper)}}</style>"
    return f"{opening} xmlns='http://www.w3.org/2000/svg'>{css}{rest}\n"
