"""The page: sections in order, one template, one style sheet, nothing from outside."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from quant.reporting.blocks import Section
from quant.reporting.inputs import ReportInputs
from quant.reporting.sections import SECTIONS

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> jinja2.Environment:
    """Templates that escape everything and refuse an unknown name."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def style() -> str:
    """The style sheet, as it stands between the style tags."""
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


def policy(css: str) -> str:
    """Content security policy: no script, no request, and only the style sheet with this hash."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Head:
    """What stands above and below the sections of any page.

    kicker : the line over the title, part by part; footer : what identifies the page
    """

    title: str
    kicker: tuple[str, ...]
    footer: tuple[str, ...]
    simulated: bool


def layout(head: Head, sections: Sequence[Section]) -> str:
    """Return a whole page; its first section is the first screen and has no number."""
    css = style()
    return (
        environment()
        .get_template("page.html.j2")
        .render(head=head, sections=sections, style=Markup(css), policy=policy(css))
    )


def render(inputs: ReportInputs) -> str:
    """Return the report of a run. The same inputs give the same bytes."""
    meta = inputs.meta
    head = Head(
        title=meta.title,
        kicker=(
            f"{meta.region.upper()} equities", meta.sprint, f"{meta.start} to {meta.end}",
            f"data: {meta.provider}",
        ),
        footer=(meta.git_sha, meta.config_hash, meta.run_id, f"started {meta.started}"),
        simulated=meta.simulated,
    )  # fmt: skip
    return layout(head, [build(inputs) for build in SECTIONS])
