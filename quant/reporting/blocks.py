"""What a section is made of: values that the template knows how to print."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from markupsafe import Markup


@dataclass(frozen=True)
class Cell:
    """One table cell; `css` is one of the classes of style.css, `tip` a native tooltip.

    link : path of another page, as seen from this one
    """

    text: str
    css: str = ""
    tip: str = ""
    link: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph: kind is lead, note, warning or empty; sub is a heading within a section."""

    kind_of: ClassVar[str] = "text"
    text: str
    kind: str = "lead"
    topic: str = ""


@dataclass(frozen=True)
class Answer:
    """The verdict: a headline, its reasons, and a tone (good, fair, bad, none)."""

    kind_of: ClassVar[str] = "verdict"
    headline: str
    sentences: tuple[str, ...]
    tone: str


@dataclass(frozen=True)
class Figure:
    """A chart drawn twice, for wide and for narrow screens; both are safe markup."""

    kind_of: ClassVar[str] = "figure"
    title: str
    wide: Markup
    narrow: Markup
    caption: str = ""
    half: bool = False


@dataclass(frozen=True)
class Grid:
    """Blocks side by side where there is room."""

    kind_of: ClassVar[str] = "grid"
    blocks: tuple["Block", ...]
    css: str = ""


@dataclass(frozen=True)
class Tabular:
    """A table. The first `texts` columns are left-aligned text, the others numbers.

    foot : how the numbers are computed
    fold : closed until opened
    """

    kind_of: ClassVar[str] = "table"
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    foot: str = ""
    texts: int = 1
    fold: bool = False
    css: str = ""


@dataclass(frozen=True)
class Tile:
    """One big number with its name and its comparison."""

    name: str
    value: str
    detail: str
    tip: str = ""


@dataclass(frozen=True)
class Tiles:
    """A row of big numbers."""

    kind_of: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]
    foot: str = ""


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    kind_of: ClassVar[str] = "items"
    title: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Verbatim:
    """Text as it stands (config, command)."""

    kind_of: ClassVar[str] = "verbatim"
    title: str
    text: str
    fold: bool = False


@dataclass(frozen=True)
class Drawer:
    """One row of a Drawers block: a bar that opens on what lies inside.

    share : length of the bar, 0 to 1; value : its number in words; tone : palette, see style.css
    """

    name: str
    group: str
    share: float
    value: str
    inside: tuple["Block", ...]
    tone: int = 0

    @property
    def width(self) -> str:
        """Length of the bar in hundredths."""
        return f"{100 * min(max(self.share, 0.0), 1.0):.1f}"


@dataclass(frozen=True)
class Drawers:
    """Rows that open, one at a time, in one of several orders; it needs no script.

    key  : unique on the page
    tabs : name and rows of each order
    """

    kind_of: ClassVar[str] = "drawers"
    key: str
    title: str
    tabs: tuple[tuple[str, tuple[Drawer, ...]], ...]
    foot: str = ""


Block = Text | Answer | Figure | Grid | Tabular | Tiles | Items | Verbatim | Drawers


@dataclass(frozen=True)
class Section:
    """One section of the page."""

    key: str
    title: str
    blocks: tuple[Block, ...] = field(default_factory=tuple)


def cells(values: Sequence[object], css: str = "") -> tuple[Cell, ...]:
    """Plain cells from texts; cells pass through."""
    return tuple(v if isinstance(v, Cell) else Cell(str(v), css) for v in values)


def empty(what: str) -> Text:
    """The sentence that stands where there is nothing to show."""
    return Text(f"{what}.", kind="empty")
