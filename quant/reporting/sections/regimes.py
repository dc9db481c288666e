"""The regime panel: the state of market and industries, and what knowing it was worth."""

import numpy as np
import pandas as pd

from quant.core.tables import VOL
from quant.core.types import Frame
from quant.model1.mapping import SYSTEMIC_AT
from quant.reporting.blocks import Answer, Block, Grid, Section, Text, Tile, Tiles, empty
from quant.reporting.figures import Line, Lines, figure
from quant.reporting.formats import DASH, PERCENT, RATIO, count, day, number, percent
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import stamp
from quant.reporting.sections import regimeprices, regimestates, regimeworth
from quant.reporting.sections.regimestates import TREND, Now, within

OFF = (
    "Regimes are off: there are no tilts, and caps and the volatility target are the optimizer's "
    "own (sprint=s1 or model1.enabled=true turns them on)"
)
WORDS = ("a bull trend", "a sideways trend", "a bear trend")


def build(inputs: ReportInputs) -> Section:
    """The state at the end first, then how it came about, then what it added or cost."""
    return Section("regimes", "Industry regimes", tuple(_blocks(inputs)))


def enabled(inputs: ReportInputs) -> bool:
    """Whether Model 1 said anything: with it off the tables are neutral or empty."""
    asked = len(inputs.states) and inputs.states["tilt_bp"].ne(0).any()
    measured = len(inputs.regime) and inputs.regime["p_crisis"].notna().any()
    made = (inputs.parent_states, inputs.indices, inputs.attribution)
    return bool(asked or measured or any(len(f) for f in made))


def _blocks(inputs: ReportInputs) -> list[Block]:
    if not enabled(inputs):
        return [empty(OFF)]
    found = regimestates.now(inputs)
    blocks: list[Block] = []
    if found is not None:
        blocks += [headline(inputs, found), _tiles(inputs, found)]
    blocks += regimestates.maps(inputs)
    if found is not None:
        blocks += regimestates.table(inputs, found)
    blocks += [Text("The market over time", "sub"), *_gauge(inputs)]
    blocks += [Text("Change points", "sub"), *regimeprices.blocks(inputs)]
    return [*blocks, Text("What the regimes were worth", "sub"), *regimeworth.blocks(inputs)]


def last(inputs: ReportInputs, name: str) -> float:
    """A column of REGIME at the last session of the window; NaN where there is none."""
    regime = within(inputs, "regime")
    return float(regime[name].iloc[-1]) if len(regime) else np.nan


def _likeliest(found: Now, names: tuple[str, ...]) -> tuple[int, float]:
    """Position and probability of the market's likeliest state; -1 where it is not known."""
    values = found.market[list(names)].to_numpy(float)
    if not np.isfinite(values).any():
        return -1, np.nan
    best = int(np.nanargmax(values[0]))
    return best, float(values[0, best])


def headline(inputs: ReportInputs, found: Now) -> Answer:
    """The market at the end, in words."""
    (trend, p_trend), (vol, p_vol) = (_likeliest(found, names) for names in (TREND, VOL))
    own = found.industries
    p = last(inputs, "p_systemic")
    date = day(own["date"].iloc[0])
    market = f"On {date} the market's state is not known"
    if trend >= 0 and vol >= 0:
        market = (
            f"On {date} the market is in {WORDS[trend]} ({percent(p_trend, 0)}) with "
            f"{_name(VOL[vol])} volatility ({percent(p_vol, 0)})"
        )
    shared = f"correlations are {'' if p >= SYSTEMIC_AT else 'not '}systemic" if p == p else ""
    tilt = own["tilt_bp"].astype(float)
    return Answer(
        f"{market}{'; ' * bool(shared)}{shared}.",
        (
            f"The volatility target is {percent(last(inputs, 'vol_target'))} a year. "
            + _caps(found),
            f"Tilts reach from {_tilted(tilt, tilt.idxmin())} to {_tilted(tilt, tilt.idxmax())} "
            f"over {inputs.meta.horizon} sessions.",
        ),
        "none",
    )  # fmt: skip


def _tilted(tilt: pd.Series, name: str) -> str:
    return f"{number(tilt[name], 1, signed=True)} bp ({name})"


def _name(column: str) -> str:
    return column.rsplit("_", 1)[1]


def _caps(found: Now) -> str:
    own = found.industries
    tight = own[own["tight"]]
    many = f"{count(len(tight))} of {count(len(own))} industries"
    if not len(tight):
        return f"Caps are tightened in none of {count(len(own))} industries."
    parts = tight["cap_long"].astype(float) / found.cap
    low, high = float(parts.min()), float(parts.max())
    if np.isclose([low, high], 0.5, atol=1e-6).all():
        return f"Caps are halved in {many}."
    return f"Caps are tightened in {many}, to {percent(low, 0)} of the usual at least."


def _tiles(inputs: ReportInputs, found: Now) -> Tiles:
    (trend, p_trend), (vol, p_vol) = (_likeliest(found, names) for names in (TREND, VOL))
    own = found.industries
    bull, bear = ((own["tilt_bp"] * sign > 0).sum() for sign in (1, -1))
    crisis = (own[list(VOL)].to_numpy(float).argmax(axis=1) == VOL.index("p_vol_crisis")).sum()
    reasons = own.loc[own["tight"], "why"].value_counts()
    reason = "; ".join(f"{n}: {count(c)}" for n, c in sorted(reasons.items()))
    return Tiles(
        (
            Tile("Trend of the market", _name(TREND[trend]).capitalize() if trend >= 0 else DASH,
                 f"{percent(p_trend, 0)}; industries that lean to bull {bull}, to bear {bear}"),
            Tile("Its volatility", _name(VOL[vol]).capitalize() if vol >= 0 else DASH,
                 f"{percent(p_vol, 0)}; crisis is likeliest in {crisis} industries"),
            Tile("Systemic", percent(last(inputs, "p_systemic"), 0),
                 f"percentile of correlation {percent(last(inputs, 'rank_corr'), 0)}, of the first "
                 f"eigenvalue {percent(last(inputs, 'rank_eig1'), 0)}"),
            Tile("Volatility target", percent(last(inputs, "vol_target")),
                 f"a year; mean probability of crisis {percent(last(inputs, 'p_crisis'), 0)}"),
            Tile("Caps tightened", count(own["tight"].sum()),
                 f"of {count(len(own))} industries" + f"; {reason}" * bool(reason)),
        ),
        f"As of the close of {day(own['date'].iloc[0])}. Percentages under a name are the "
        "probability of that state; systemic: that industries move as one.",
    )  # fmt: skip


def _gauge(inputs: ReportInputs) -> list[Block]:
    regime = within(inputs, "regime")
    if len(regime) < 2:
        return [empty("There are fewer than two sessions, so no gauge over time")]
    bar = Line("Threshold", np.full(len(regime), SYSTEMIC_AT), 2)
    shared = Line("Probability", regime["p_systemic"].to_numpy(float), 4, fill=True)
    chart = Lines("Systemic gauge", regime["date"].to_numpy(), [shared, bar], RATIO, base=0.0,
                  include=(1.0,))  # fmt: skip
    share = (regime["p_systemic"] >= SYSTEMIC_AT).mean()
    drawn = figure(
        "systemic",
        chart,
        "Probability that industries move as one: it passes one half just where the percentile "
        "rank of their mean correlation or of the first eigenvalue, each within its own past, "
        f"passes its threshold. So it was on {percent(share)} of {count(len(regime))} sessions; "
        "on these all caps are tightened.",
        height=240,
        stamp=stamp(inputs),
    )
    return [drawn, Grid(tuple(_halves(inputs, regime)))]


def _halves(inputs: ReportInputs, regime: Frame) -> list[Block]:
    def of(key: str, title: str, caption: str, form: object, **lines: tuple[str, int]) -> Block:
        series = [Line(n, regime[c].to_numpy(float), tone) for c, (n, tone) in lines.items()]
        chart = Lines(title, regime["date"].to_numpy(), series, form)
        return figure(key, chart, caption, height=230, half=True, stamp=stamp(inputs))

    return [
        of("sysranks", "Percentile ranks within their own past", "Share of the last five years' "
           "sessions, today among them, that were not above today's.", RATIO,
           rank_corr=("Correlation", 0), rank_eig1=("Eigenvalue", 1)),
        of("syslevels", "Mean correlation and share of the first eigenvalue",
           "Of equal-weight indices, by dynamic conditional correlation (Engle 2002).", RATIO,
           mean_corr=("Correlation", 0), eig1=("Eigenvalue", 1)),
        of("syscrisis", "Mean probability of crisis over industries",
           "What the volatility target falls with.", PERCENT, p_crisis=("Crisis", 7)),
        of("systarget", "Volatility target, a year", "Falls in a straight line as crisis grows "
           "likelier.", PERCENT, vol_target=("Target", 3)),
    ]  # fmt: skip
