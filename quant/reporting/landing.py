"""The landing page: what is newest, what needs a look, who looked at a hold-out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from quant.core.types import Frame
from quant.reporting.blocks import Answer, Block, Cell, Section, Tabular, Text, cells, empty
from quant.reporting.formats import DASH, basis, count, number, percent
from quant.reporting.holdout import KINDS
from quant.reporting.page import Head, layout

WORDS = {
    "report": "Report", "audit": "Look-ahead audit", "explain": "One session", "tune": "Search",
    "changes": "Changes of settings", "comparison": "Comparison",
}  # fmt: skip
LISTED = 60  # newest nights
LOOKS = 50  # newest looks at a hold-out that are listed
NUMBERS = ("ann_return", "sharpe", "dsr", "cost_bp")


@dataclass(frozen=True)
class LandingInputs:
    """What the page shows; every link is a path as seen from it.

    head  : short sha of the checkout now
    pages : one row a page, newest first: utc, kind, region, sprint, provider, link, git_sha,
            config_hash, the numbers of its run (NaN = none), drifted (features whose drift has a
            severity) and review (literal rule), NaN = not looked at
    cards : (title, link)
    gates : newest first: utc, region, verdicts, passes, link of the report (or empty)
    nights: how each night stood last, newest first: asof, regions, status, concerns, minutes, link,
            git_sha
    looks : hold-out ledger, newest first: utc, user, name, config_hash, kind, span
    """

    head: str
    pages: Frame
    cards: Sequence[tuple[str, str]] = ()
    gates: Frame = field(default_factory=pd.DataFrame)
    nights: Frame = field(default_factory=pd.DataFrame)
    looks: Frame = field(default_factory=pd.DataFrame)


def render(inputs: LandingInputs) -> str:
    """Return the page."""
    head = Head("Reports", ("quant", f"code {inputs.head}"), (inputs.head,), simulated=False)
    return layout(
        head,
        [
            Section("answer", "Now", (_answer(inputs), _newest(inputs))),
            Section("nights", "Nights", (_nights(inputs),)),
            Section("controller", "How the champion stands", tuple(_champion(inputs))),
            Section("others", "Comparisons, audits and other pages", (_others(inputs),)),
            Section("cards", "Model cards", (_cards(inputs),)),
            Section("holdout", "Who looked at a hold-out", (_looks(inputs),)),
        ],
    )


def newest(pages: Frame) -> Frame:
    """The newest report of each region, sprint and provider."""
    if not len(pages):
        return pages
    own = pages[pages["kind"] == "report"]
    return own.drop_duplicates(["region", "sprint", "provider"]).sort_values(
        ["provider", "region", "sprint"], key=lambda c: c == "sim" if c.name == "provider" else c
    )


def concerns(inputs: LandingInputs) -> list[str]:
    """What is wrong with the last night and the newest reports, one sentence each."""
    said = []
    if len(inputs.nights):
        last = inputs.nights.sort_values("asof").iloc[-1]
        if last["status"] != "done":
            said.append(f"the night of {last['asof']}: {last['status']}")
        elif last["concerns"]:
            said.append(f"the night of {last['asof']} asks for a look")
    for r in newest(inputs.pages).itertuples():
        name = f"{r.region.upper()} {r.sprint.upper()} ({r.provider})"
        if r.git_sha != inputs.head:
            said.append(
                f"{name}: its report is of code {r.git_sha}, and the checkout is {inputs.head}"
            )
        if r.drifted > 0:
            said.append(f"{name}: {count(r.drifted)} of the leading features drifted")
    return said


def _answer(inputs: LandingInputs) -> Answer:
    if not len(newest(inputs.pages)) and not len(inputs.nights):
        return Answer("No report yet", ("make demo writes the first one.",), "none")
    said = concerns(inputs)
    if not said:
        told = "The newest reports are of this code, and no leading feature has drifted."
        return Answer("Nothing asks for a look", (told,), "good")
    asked = "1 thing asks" if len(said) == 1 else f"{len(said)} things ask"
    return Answer(f"{asked} for a look", tuple(f"{s}." for s in said), "fair")


def _newest(inputs: LandingInputs) -> Block:
    found = newest(inputs.pages)
    if not len(found):
        return empty("No report was written into this folder")
    return _listed("Newest reports", found, inputs.head)


def _listed(title: str, rows: Frame, head: str) -> Block:
    body = []
    for r in rows.itertuples():
        drifted = DASH if pd.isna(r.drifted) else f"{count(r.drifted)} of {count(r.review)} flagged"
        body.append((
            Cell(f"{r.region.upper()} {r.sprint.upper()}", link=r.link),
            Cell("simulated" if r.provider == "sim" else r.provider),
            Cell(_when(r.utc)),
            Cell(r.git_sha, "" if r.git_sha == head else "n2"),
            *cells((percent(r.ann_return), number(r.sharpe), number(r.dsr), basis(r.cost_bp),
                    drifted)),
        ))  # fmt: skip
    return Tabular(
        title,
        ("Report", "Data", "Written, UTC", "Code", "Return", "Sharpe", "DSR", "Costs a year",
         "Drifted"),
        tuple(body),
        "Numbers after costs, as in the report. Code: of the run; shaded where it is not the "
        "checkout's. Drifted: leading features with a severity, of those that the literal rule "
        "flags.",
        texts=4,
    )  # fmt: skip


def _nights(inputs: LandingInputs) -> Block:
    if not len(inputs.nights):
        return empty("No night was run: stage=nightly does")
    rows = [
        (Cell(str(r.asof), link=r.link), Cell(r.regions.upper()),
         Cell(r.status, "n2" if r.status != "done" else ""),
         *cells((count(r.concerns), number(r.minutes, 1))))
        for r in inputs.nights.sort_values("asof", ascending=False).head(LISTED).itertuples()
    ]  # fmt: skip
    head = ("As of", "Regions", "Status", "Asks for a look", "Minutes")
    return Tabular("Newest first", head, tuple(rows), texts=3)


def _champion(inputs: LandingInputs) -> list[Block]:
    gates = inputs.gates
    if not len(gates):
        return [empty("No controller was judged: stage=rl_gate does")]
    rows = []
    for region, own in gates.groupby("region", sort=True):
        passed = own[own["passes"]]
        held = f"of {_when(passed['utc'].iloc[0])}" if len(passed) else "none has passed"
        last = own.iloc[0]
        rows.append((Cell(region.upper()), Cell(held), Cell(_when(last["utc"])),
                     Cell(last["verdicts"])))  # fmt: skip
    head = ("Region", "Champion", "Last judged, UTC", "Verdicts")
    foot = "Only a policy that passes its gate is registered as champion."
    return [Tabular("Policies", head, tuple(rows), foot, texts=4)]


def _others(inputs: LandingInputs) -> Block:
    found = inputs.pages
    found = found[found["kind"] != "report"] if len(found) else found
    if not len(found):
        return empty("None yet")
    rows = [
        (Cell(WORDS.get(r.kind, r.kind), link=r.link), Cell(str(r.region).upper()),
         Cell(_when(r.utc)), Cell(r.git_sha))
        for r in found.itertuples()
    ]  # fmt: skip
    return Tabular("Newest first", ("Page", "Region", "Written, UTC", "Code"), tuple(rows), texts=4,
                   fold=len(rows) > 20)  # fmt: skip


def _cards(inputs: LandingInputs) -> Block:
    if not inputs.cards:
        return empty("No card was rendered")
    rows = tuple((Cell(title, link=link),) for title, link in inputs.cards)
    return Tabular("", ("Card",), rows)


def _looks(inputs: LandingInputs) -> Block:
    looks = inputs.looks
    if not len(looks):
        return Text("Nobody: no run of this project has read a declared hold-out.")
    rows = [
        (Cell(_when(r.utc)), Cell(r.user), Cell(r.name), Cell(r.span),
         Cell(KINDS.get(r.kind, r.kind)))
        for r in looks.head(LOOKS).itertuples(index=False)
    ]  # fmt: skip
    title = f"{count(len(looks))} looks, newest first"
    return Tabular(title, ("UTC", "User", "Run", "Hold-out", "How"), tuple(rows), texts=5)


def _when(utc: str) -> str:
    return str(utc)[:16].replace("T", " ")
