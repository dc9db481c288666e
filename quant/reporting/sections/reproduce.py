"""Reproducibility: conventions, identity, seeds, versions, config, and every metric in full."""

from quant.reporting.blocks import Block, Grid, Items, Section, Tabular, Verbatim, cells, empty
from quant.reporting.formats import missing
from quant.reporting.inputs import ReportInputs


def build(inputs: ReportInputs) -> Section:
    """What is needed to compute this page again."""
    meta = inputs.meta
    blocks: list[Block] = []
    if meta.conventions:
        blocks.append(Items("Conventions", tuple(meta.conventions)))
    else:
        blocks.append(empty("The run stated no conventions"))
    blocks.append(Grid((_identity(inputs), _versions(inputs))))
    if meta.command:
        blocks.append(Verbatim("Run it again", meta.command))
    blocks += [*_seeds(inputs), _metrics(inputs)]
    blocks.append(Verbatim("The whole config", meta.config_yaml or "(none given)", fold=True))
    return Section("reproduce", "Reproducibility", tuple(blocks))


def _identity(inputs: ReportInputs) -> Block:
    meta = inputs.meta
    rows = [
        ("git sha", meta.git_sha),
        ("config hash", meta.config_hash),
        ("run", meta.run_id),
        ("started", meta.started),
        ("region", meta.region),
        ("currency", meta.currency),
        ("data provider", meta.provider),
        ("window", f"{meta.start} to {meta.end}"),
        ("periods a year", meta.periods_per_year),
        ("label horizon", f"{meta.horizon} sessions"),
        ("global seed", meta.seed),
    ]
    return Tabular("Identity", ("", "Value"), tuple(cells(r) for r in rows), texts=2, css="facts")


def _seeds(inputs: ReportInputs) -> list[Block]:
    seeds = inputs.meta.model_seeds
    if not seeds:
        return [empty("No model was seeded apart from the global seed")]
    rows = tuple(cells((name, value)) for name, value in seeds.items())
    title = f"Seeds of the models ({len(rows)}), derived by name from the global seed"
    return [Tabular(title, ("Model", "Seed"), rows, fold=len(rows) > 8, css="facts")]


def _versions(inputs: ReportInputs) -> Block:
    versions = inputs.meta.versions
    if not versions:
        return empty("The run stated no versions")
    rows = tuple(cells((name, text)) for name, text in sorted(versions.items()))
    return Tabular("Versions", ("Package", "Version"), rows, texts=2, css="facts")


def _metrics(inputs: ReportInputs) -> Block:
    frame = inputs.metrics
    if not len(frame):
        return empty("The metrics table is empty")
    rows = tuple(
        cells((r.book, r.metric, r.unit, "–" if missing(r.value) else f"{r.value:.10g}"))
        for r in frame.sort_values(["book", "metric"]).itertuples()
    )
    return Tabular(
        f"The whole metrics table ({len(rows)} rows)",
        ("Book", "Metric", "Unit", "Value"),
        rows,
        "At ten significant digits, as stored.",
        texts=3,
        fold=True,
    )
