"""The page: sections in order, one template, one style sheet, nothing from outside."""

import base64
import hashlib
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

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


def render(inputs: ReportInputs) -> str:
    """Return the whole page. The same inputs give the same bytes."""
    css = style()
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            meta=inputs.meta,
            sections=[build(inputs) for build in SECTIONS],
            style=Markup(css),
            policy=policy(css),
        )
    )
