"""The page of a search for settings: the best, what luck leaves of it, and every trial."""

from dataclasses import dataclass, field

from quant.core.types import Frame
from quant.reporting.blocks import Answer, Block, Section, Text, Tile, Tiles, Verbatim
from quant.reporting.formats import count, number
from quant.reporting.holdout import Holdout, blocks
from quant.reporting.page import Head, layout
from quant.reporting.sections import searched

SURE, EVEN = 0.95, 0.5  # probabilities


@dataclass(frozen=True)
class TuneInputs:
    """Everything that the page shows.

    rows     : TUNING table, at least one complete trial
    override : the best settings as words of a command line; file : the same as YAML, "" = none
    sweep    : the trials are jobs of a sweep, not of a search
    present  : trial 0 has the settings as they stand
    ideas    : effective number of trials; luck : the Sharpe ratio that the best of them shows
               without worth, a label period
    horizon  : sessions of a label; models : what was fitted
    ledger   : settings tried on labels of the market so far, those of the page among them
    """

    title: str
    region: str
    git_sha: str
    config_hash: str
    command: str
    simulated: bool
    rows: Frame
    override: str
    file: str
    ideas: int
    luck: float
    horizon: int
    models: tuple[str, ...]
    holdout: Holdout = field(default_factory=Holdout)
    sweep: bool = False
    present: bool = False
    ledger: int = 0


def render(inputs: TuneInputs) -> str:
    """Return the whole page."""
    tried = searched.ended(inputs.rows)
    head = Head(
        title=inputs.title,
        kicker=(
            f"{inputs.region.upper()} equities",
            "settings compared on labels" if inputs.sweep else "search for settings",
            f"{count(len(tried))} {'jobs' if inputs.sweep else 'trials'}",
        ),
        footer=(inputs.git_sha, inputs.config_hash),
        simulated=inputs.simulated,
    )
    stamp = "SIMULATED" if inputs.simulated else ""
    return layout(
        head,
        [
            Section("answer", "Verdict", (_answer(inputs, tried), _tiles(inputs, tried))),
            Section("use", "Use it", tuple(_use(inputs))),
            Section("trials", "Trials", (searched.history(inputs.rows, stamp),
                                         searched.table(inputs.rows))),
            Section("settings", "Setting by setting", (searched.settings(inputs.rows, stamp),)),
            Section("holdout", "Hold-out", tuple(blocks(inputs.holdout, inputs.config_hash))),
            Section("method", "What was done", tuple(_method(inputs))),
        ],
    )  # fmt: skip


def _answer(inputs: TuneInputs, tried: Frame) -> Answer:
    best = tried.iloc[0]
    sure = best["dsr"] >= SURE
    first = tried[(tried["number"] == 0) & (tried["number"] != best["number"])]
    before = [
        f"The settings as they stand (trial 0) have a Sharpe ratio of {number(r.sharpe)} and a DSR "
        f"of {number(r.dsr)}."
        for r in first.itertuples()
        if inputs.present
    ]
    doubt = "its spread may be luck" if best["dsr"] >= EVEN else "no trial shows more than luck"
    return Answer(
        f"Trial {count(best['number'])} is best: "
        + ("its spread is more than luck" if sure else doubt),
        (
            f"{inputs.override}.",
            f"Its quantile spread has a Sharpe ratio of {number(best['sharpe'])} over "
            f"{inputs.horizon} sessions, out of sample on every path of the cross-validation; the "
            f"best of {count(inputs.ideas)} ideas without worth would show {number(inputs.luck)}. "
            f"The probability that it is above that luck is {number(best['dsr'])} (DSR).",
            *before,
            "DSR says whether there is a signal, not whether these settings beat the next best: "
            "trials that are nearly as good are as good a choice.",
        ),
        "good" if sure else "fair",
    )


def _tiles(inputs: TuneInputs, tried: Frame) -> Tiles:
    best, given_up = tried.iloc[0], int((tried["state"] == "pruned").sum())
    return Tiles(
        (
            Tile("DSR", number(best["dsr"]), f"with every trial apart: {number(best['dsr_each'])}"),
            Tile("Rank IC", number(best["rank_ic"], 3), f"ICIR {number(best['icir'])} a day"),
            Tile("Trials", count(len(tried)), f"{count(given_up)} of them given up early"),
            Tile("Ideas", count(inputs.ideas), "trials that go together count once"),
            Tile("Minutes", number(tried["seconds"].sum() / 60, 1), "of all trials"),
        )
    )


def _use(inputs: TuneInputs) -> list[Block]:
    file = [Verbatim("As a file", inputs.file)] * bool(inputs.file)
    kept = ", or keep the file under conf/experiment" * bool(inputs.file)
    return [
        Text(f"Nothing was changed: give these words{kept}."),
        Verbatim("On the command line", inputs.override),
        *file,
    ]


def _method(inputs: TuneInputs) -> list[Block]:
    return [
        Text(
            f"Fitted: {', '.join(inputs.models)}. Each trial is scored by combinatorial purged "
            "cross-validation on labels that are known before the first prediction, so that no "
            "session of a backtest is looked at. The number of observations is that of label "
            "periods that do not overlap. Every trial is in the ledger, counted apart from the "
            "configurations that were backtested. The ledger has "
            f"{count(inputs.ledger)} settings that were tried on labels of this market so far, by "
            "all searches and sweeps; the deflation here is by those of this page alone."
        ),
        Text(
            "Each job speaks by the candidate that it chose, and is an idea of its own: its table "
            "of the cross-validation keeps no series, so that its spread is taken for normal."
            if inputs.sweep
            else "The search follows the probit of PSR, one scale for all trials; the deflation by "
            "their number and variance is made at the end, for all alike (Bailey and Lopez de "
            "Prado 2014)."
        ),
        Verbatim("Run it again", inputs.command),
    ]
