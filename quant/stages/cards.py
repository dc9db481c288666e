"""Model cards of the run's models, rendered from what it stored."""

from collections.abc import Mapping
from typing import Any

from quant.core import tables
from quant.core.types import Frame
from quant.governance import cards
from quant.rl.observation import FEATURES
from quant.stages import report
from quant.stages.registry import Context, Inputs, Stage

# what the models were made from
DATA = (
    tables.BARS, tables.ACTIONS, tables.INDUSTRIES, tables.MEMBERS, tables.FEATURES, tables.LABELS,
)  # fmt: skip


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """A folder with `<model>_<region>.md` for each model of the run, and its pictures."""
    digests = {t.name: f.digest(t.name) for t in DATA}
    source = cards.Source(report.gathered(s, f, c), digests, FEATURES)
    folder = c.scratch / "cards"
    folder.mkdir()
    for model in cards.wanted(source.report):
        name, pictures = f"{model}_{c.region}", {}
        (folder / f"{name}.md").write_text(cards.render(model, source, pictures))
        for picture, drawn in pictures.items():
            (folder / name).mkdir(exist_ok=True)
            (folder / name / picture).write_text(drawn)
    return {}


STAGE = Stage(
    "cards",
    needs=tuple(dict.fromkeys((*report.SHOWN, *DATA))),
    makes=(),
    settings=report.settings,
    private=report.looked,
    external=report.external,
    run=run,
    files=("cards",),
    module=__name__,
)
