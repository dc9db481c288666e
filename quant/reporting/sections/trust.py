"""How far to trust the verdict: power, luck, the hold-out, and names that the data may lack."""

import math

from quant.reporting.blocks import Block, Cell, Section, Tabular, Text, Tile, Tiles, cells, empty
from quant.reporting.compared import INCONCLUSIVE, Compared, comparisons, power, sentence
from quant.reporting.formats import DASH, count, number
from quant.reporting.holdout import NONE, blocks
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import Metrics
from quant.reporting.sections import stress, tried

AUDIT = (
    "Whether anything here knew the future is a question that stage=audit answers: it replays this "
    "run without its future, at several dates, and compares every table to the last bit."
)


def build(inputs: ReportInputs) -> Section:
    """Five numbers, then a paragraph and a table for each question."""
    found = comparisons(inputs)
    said: list[Block] = [
        _tiles(inputs, found),
        *_compared(found),
        *tried.blocks(inputs),
        *stress.blocks(inputs),
        Text("Hold-out", "sub"),
        *blocks(inputs.holdout, inputs.meta.config_hash),
        Text("Look-ahead", "sub"),
        Text(AUDIT),
    ]
    return Section("trust", "How far to trust it", tuple(said))


def _tiles(inputs: ReportInputs, found: list[Compared]) -> Tiles:
    metrics = Metrics.of(inputs.metrics)
    luck = metrics("expected_max_sharpe") * math.sqrt(inputs.meta.periods_per_year)
    configs = metrics("n_configs")
    return Tiles(
        (
            *_tested(next((c for c in found if c.benchmark), None)),
            Tile(
                "Ideas tried",
                count(metrics("n_trials")),
                f"of {count(configs)} configuration{'s' * (configs != 1)} on this market",
                "configurations that trade alike count once",
            ),
            Tile(
                "Luck alone would show",
                number(luck),
                f"{_lucky(metrics)}; this book {number(metrics('sharpe'))}",
            ),
            _looked(inputs),
        )
    )


def _lucky(metrics: Metrics) -> str:
    if metrics("n_trials") == 1:
        return "a single idea was not chosen"
    return "Sharpe ratio of the best of so many ideas without worth"


def _tested(found: Compared | None) -> tuple[Tile, Tile]:
    if found is None:
        return (
            Tile("Against the benchmark", DASH, "not tested"),
            Tile("Smallest visible difference", DASH, "not tested"),
        )
    return (
        Tile(
            "Against the benchmark",
            "Same" if found.same else found.verdict.capitalize(),
            f"Sharpe {number(found.difference, 2, signed=True)}, p {number(found.p_value)}",
            "Ledoit and Wolf (2008): difference of the Sharpe ratios",
        ),
        Tile(
            "Smallest visible difference",
            DASH if found.same else number(found.detectable),
            f"of Sharpe ratios, in {number(found.years, 1)} years",
            "true difference that the test finds four times in five",
        ),
    )


def _looked(inputs: ReportInputs) -> Tile:
    own = inputs.holdout
    if own.start is None:
        return Tile("Hold-out", NONE, "nothing was kept from the choices")
    looks = "never looked at" if not own.reads else f"looks so far: {count(own.reads)}"
    state = own.state(inputs.meta.config_hash)
    return Tile("Hold-out", state, f"from {own.start}, {looks}")


def _compared(found: list[Compared]) -> list[Block]:
    title = Text("Could the difference be chance?", "sub")
    if not found:
        return [title, empty("No Sharpe ratios were compared: the window is too short for a test")]
    words = " ".join(sentence(c) for c in found if c.benchmark) or power(found[0])
    rows = tuple(
        (
            Cell(_capital(c.other)),
            Cell(c.verdict, {"BETTER": "p2", "WORSE": "n2"}.get(c.verdict, "")),
            *cells(
                (
                    number(c.difference, 2, signed=True),
                    c.interval,
                    number(c.p_value, 3),
                    number(c.detectable),
                )
            ),
        )
        for c in found
    )
    return [
        title,
        Text(words),
        Tabular(
            "Sharpe ratio of the portfolio, less that of",
            ("", "Verdict", "Difference", "95% interval", "p", "Smallest detectable"),
            rows,
            "Annualised, in excess of cash, after costs; studentised block bootstrap (Ledoit and "
            f"Wolf 2008). {INCONCLUSIVE}: the interval contains zero. Smallest detectable: the "
            "true difference that this window would show four times in five. Indices pay no costs "
            "and are compared where they hold dividends.",
            texts=2,
        ),
    ]


def _capital(text: str) -> str:
    bare = text.removeprefix("the ")
    return f"{bare[:1].upper()}{bare[1:]}"
