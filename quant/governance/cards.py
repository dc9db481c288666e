"""Model cards: what a model is, what it was made from, how good it is, where it must not be used.

A card is rendered from a run, never typed: fields come from its tables, settings and digests.
They are those of Mitchell et al. (2019), "Model Cards for Model Reporting", in words of this field.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import yaml

from quant.core.errors import ReportError
from quant.core.types import Frame
from quant.model1.features import MARKET
from quant.optimizer.knobs import BOUNDS
from quant.reporting import markdown
from quant.reporting.blocks import Block, Tabular, Text, cells
from quant.reporting.formats import count, day, missing, number, percent
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import Metrics
from quant.reporting.sections import (
    controller,
    data,
    drift,
    regimestates,
    regimeworth,
    signal,
    slices,
    tried,
    validation,
)

# what every card says, in order; a card that lacks one is refused
FIELDS = (
    "Purpose", "Inputs", "Outputs", "Training windows", "Seeds", "Data", "Metrics by regime",
    "Metrics by year", "Calibration", "Validation", "Trials and deflated Sharpe ratio",
    "Known caveats", "Limits of use", "Run",
)  # fmt: skip
MODELS = ("model1", "model2", "rl_policy")
AHEAD = 21  # sessions over which the market's volatility is looked at after a state


@dataclass(frozen=True)
class Source:
    """What a card is rendered from.

    report  : the frames and facts of the run's report
    digests : table -> sha256 of what the run read and made
    observations : name -> definition, of what a policy sees
    """

    report: ReportInputs
    digests: Mapping[str, str]
    observations: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, object]:
        """The run's settings."""
        return yaml.safe_load(self.report.meta.config_yaml) or {}


def wanted(inputs: ReportInputs) -> tuple[str, ...]:
    """Models that the run has."""
    has = {
        "model1": len(inputs.states),
        "model2": len(inputs.alpha),
        "rl_policy": len(inputs.policy_info),
    }
    return tuple(name for name in MODELS if has[name])


def render(model: str, source: Source, pictures: dict[str, str]) -> str:
    """The card of a model as Markdown; pictures : file name -> SVG, filled.

    Raises ReportError where a field would stay empty.
    """
    made = _BUILD[model](source)
    made = _common(source) | made
    meta = source.report.meta
    lines = [f"# {_TITLE[model]}, {meta.region.upper()}"]
    if meta.simulated:
        lines.append("**SIMULATED**: trained and measured on the embedded simulated market.")
    for name in FIELDS:
        found: dict[str, str] = {}
        text = markdown.render(made.get(name, ()), f"{model}_{meta.region}", found)
        pictures |= found
        lines += [f"## {name}", text]
    card = "\n\n".join(lines) + "\n"
    lacking = lacks(card)
    if lacking:
        raise ReportError(
            f"the card of {model} says nothing under {', '.join(lacking)}; every field comes from "
            "the run: run stage=e2e of the sprint that makes it."
        )
    return card


def lacks(card: str) -> list[str]:
    """Fields that a card does not have, or leaves empty."""
    parts = re.split(r"^## (.+)$", card, flags=re.MULTILINE)
    said = {name.strip(): body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    return [name for name in FIELDS if not said.get(name)]


def _common(source: Source) -> dict[str, Sequence[Block]]:
    inputs = source.report
    meta = inputs.meta
    rows = [(name, digest[:16]) for name, digest in sorted(source.digests.items())]
    provider = "the embedded simulated market" if meta.simulated else f"provider {meta.provider}"
    return {
        "Data": (
            Text(f"From {provider}, evaluated {meta.start} to {meta.end}."),
            _table("Digests of the tables", ("Table", "sha256, first 16 digits"), rows, 2),
            data.quality(inputs),
        ),
        "Trials and deflated Sharpe ratio": tried.blocks(inputs),
        "Run": (
            _table("What made it", ("", ""), [
                ("git sha", meta.git_sha), ("config hash", meta.config_hash),
                ("global seed", str(meta.seed)), ("command", meta.command),
            ], 2),
        ),
    }  # fmt: skip


def _model2(source: Source) -> dict[str, Sequence[Block]]:
    inputs, config = source.report, source.config
    families = inputs.importance.drop_duplicates("feature")["family"].value_counts().sort_index()
    alpha, folds = inputs.alpha, inputs.folds
    horizons = ", ".join(str(h) for h in sorted(folds["horizon"].unique()))
    models = ", ".join(sorted(folds["model"].unique()))
    return {
        "Purpose": (
            Text(
                "Expected residual returns of the names of the universe, which the optimizer "
                f"trades on. An ensemble of {models} over labels of {horizons} sessions, refitted "
                "walk-forward and calibrated on its own earlier out-of-sample scores."
            ),
        ),
        "Inputs": (
            _table(
                f"{int(families.sum())} features", ("Family", "Features"),
                [(name, count(n)) for name, n in families.items()],
            ),
            Text(
                "Labels: open of t+1 to open of t+1+h, less beta times the market and the mean of "
                "the industry."
            ),
        ),
        "Outputs": (
            Text(
                f"{len(alpha):,} scores of {alpha['symbol'].nunique():,} names, "
                f"{day(alpha['date'].min())} to {day(alpha['date'].max())}: score (unitless), "
                "uncertainty (deviation over the ensemble), alpha (decimal, over "
                f"{inputs.meta.horizon} sessions). Known at the close of the day they are dated."
            ),
        ),
        "Training windows": validation.folds(inputs),
        "Seeds": (
            Text(
                f"Global seed {inputs.meta.seed}; the seeds of the {len(folds)} models derive from "
                "it by name and stand in the table above."
            ),
        ),
        "Metrics by regime": (
            _sliced(inputs.signal_slices, lambda name: name not in ("year", "horizon")),
        ),
        "Metrics by year": (_sliced(inputs.signal_slices, lambda name: name == "year"),),
        "Calibration": (signal.calibration(inputs), *slices.check(inputs)),
        "Validation": validation.cpcv(inputs),
        "Known caveats": _caveats(inputs),
        "Limits of use": _limits(
            inputs, config,
            f"No score before {day(alpha['date'].min())}, and none of a name outside the universe "
            "of its day. A score is a rank within its day: scores of two days are not comparable.",
        ),
    }  # fmt: skip


def _model1(source: Source) -> dict[str, Sequence[Block]]:
    inputs, config = source.report, source.config
    states, fits = inputs.states, inputs.hmm_fits
    spans = fits.groupby("kind")["date"].agg(["min", "max", "nunique"])
    return {
        "Purpose": (
            Text(
                "The trend, volatility and systemic state of every industry as of each close, and "
                "the tilts of alphas, caps of groups and volatility target that follow."
            ),
        ),
        "Inputs": (
            Text(
                f"Daily returns of {inputs.indices['node_id'].nunique()} indices built from the "
                "members of each day (industries, sectors where there are any, the market), "
                f"{day(inputs.indices['date'].min())} to {day(inputs.indices['date'].max())}."
            ),
        ),
        "Outputs": (
            Text(
                f"{len(states):,} rows of {states['industry_id'].nunique()} industries, "
                f"{day(states['date'].min())} to {day(states['date'].max())}; columns: "
                f"{', '.join(c for c in states.columns if c not in ('date', 'industry_id'))}."
            ),
        ),
        "Training windows": (
            _table(
                "Walk-forward: each fit knows only what came before it",
                ("Model", "Refits", "First", "Last"),
                [(str(kind), count(r["nunique"]), day(r["min"]), day(r["max"]))
                 for kind, r in spans.iterrows()],
            ),
            *regimeworth.models(inputs),
        ),
        "Seeds": (
            Text(f"All starts of the fits derive by name from the global seed {inputs.meta.seed}."),
        ),
        "Metrics by regime": (regimeworth.by_state(inputs), *regimeworth.attribution(inputs)),
        "Metrics by year": (_flips(inputs),),
        "Calibration": (_volatility(inputs),),
        "Validation": (regimeworth.counts(inputs),),
        "Known caveats": _caveats(inputs),
        "Limits of use": _limits(
            inputs, config,
            "States describe industries as of a close; they say nothing of single names, and only "
            "tilt, cap and scale what the optimizer would do without them.",
        ),
    }  # fmt: skip


def _policy(source: Source) -> dict[str, Sequence[Block]]:
    inputs, config = source.report, source.config
    info = inputs.policy_info
    section = controller.build(inputs)
    rl = config.get("rl", {})
    reward, splits = (dict(rl.get(k, {})) for k in ("reward", "splits"))
    gate = inputs.rl_gate
    passes = bool(len(gate)) and bool(gate.loc[gate["seed"] < 0, "passes"].all())
    return {
        "Purpose": (
            Text(
                "Turns the six knobs of the optimizer each session within fixed bounds; it never "
                "picks stocks. " + ("It passes its gate." if passes else
                "It does not pass its gate: no release steers by it.")
            ),
        ),
        "Inputs": (
            _table(
                f"{len(source.observations)} observations over 40 sessions",
                ("Observation", "What it is"), list(source.observations.items()), 2,
            ),
        ),
        "Outputs": (
            _table(
                "Knobs and their bounds", ("Knob", "Lowest", "Highest"),
                [(name, f"{low:g}", f"{high:g}") for name, (low, high) in BOUNDS.items()],
            ),
            _table("Reward", ("Setting", "Value"), [(k, str(v)) for k, v in reward.items()], 2),
        ),
        "Training windows": (
            _table("Splits", ("", ""), [(k, str(v)) for k, v in splits.items()], 2),
        ),
        "Seeds": (Text(", ".join(str(s) for s in sorted(info["seed"]))),),
        "Metrics by regime": (_gain_by_state(inputs),),
        "Metrics by year": [b for b in section.blocks if _titled(b, "period", "against")][:1]
        or [Text("The test was not played: run stage=rl_gate.")],
        "Calibration": (
            Text("Actions are settings, not forecasts: there is nothing to calibrate. How often "
                 "they rest on a bound stands below."),
            *[b for b in section.blocks if _titled(b, "bounds and limits")],
        ),
        "Validation": controller.training(inputs),
        "Known caveats": _caveats(inputs),
        "Limits of use": _limits(
            inputs, config,
            f"Of region {', '.join(sorted(set(info['region'])))} alone, with the observations "
            "above in their order; other observations or another region are refused.",
        ),
    }  # fmt: skip


def _titled(block: Block, *words: str) -> bool:
    title = getattr(block, "title", "").lower()
    return any(word in title for word in words)


def _table(
    title: str, head: tuple[str, ...], rows: Sequence[Sequence[str]], texts: int = 1
) -> Tabular:
    return Tabular(title, head, tuple(cells(r) for r in rows), texts=texts)


def _sliced(frame: Frame, kept: Callable[[str], bool]) -> Block:
    rows = [
        (f"{r.dimension}: {r.slice}", count(r.n_days), number(r.ic, 3), number(r.rank_ic, 3),
         number(r.t, 1), number(r.spread_bp, 0))
        for r in frame.itertuples()
        if kept(r.dimension)
    ]  # fmt: skip
    head = ("Slice", "Sessions", "IC", "Rank IC", "t", "Spread, bp")
    return _table("Out of sample", head, rows) if rows else Text("No slice was long enough.")


def _volatility(inputs: ReportInputs) -> Block:
    """Volatility that followed each state: what a state promises."""
    states = regimestates.market_states(inputs)
    rows = inputs.indices[inputs.indices["node_id"] == MARKET].sort_values("date")
    returns = rows.set_index("date")["ret"].astype(float)
    ahead = returns[::-1].rolling(AHEAD).std()[::-1].shift(-1)
    ahead = ahead * np.sqrt(inputs.meta.periods_per_year)
    found = pd.DataFrame({"state": states, "ahead": ahead}).dropna()
    rows = [
        (str(state), count(len(own)), percent(own["ahead"].mean()),
         percent(own["ahead"].quantile(0.1)), percent(own["ahead"].quantile(0.9)))
        for state, own in found.groupby("state")
    ]  # fmt: skip
    if not rows:
        return Text("No state of the market has an outcome yet.")
    return Tabular(
        "Volatility that came", ("State of the market", "Sessions", "Mean", "10 %", "90 %"),
        tuple(cells(r) for r in rows),
        f"Annualised volatility of the market over the {AHEAD} sessions after each close.",
    )  # fmt: skip


def _flips(inputs: ReportInputs) -> Block:
    fits = inputs.flip_fits.dropna(subset=["brier"]) if len(inputs.flip_fits) else inputs.flip_fits
    if not len(fits):
        return Text("No forecast of a flip has an outcome yet.")
    years = fits.assign(year=pd.to_datetime(fits["date"]).dt.year).groupby("year")
    rows = [
        (str(year), count(len(own)), number(own["brier"].mean(), 4),
         number(own["brier_base"].mean(), 4))
        for year, own in years
    ]  # fmt: skip
    return _table(
        "Forecasts that the trend flips within ten sessions",
        ("Year", "Refits", "Brier score", "of the base rate"), rows,
    )  # fmt: skip


def _gain_by_state(inputs: ReportInputs) -> Block:
    states, books = regimestates.market_states(inputs), inputs.rl_books
    rows = []
    if len(books) and len(states):
        mine = controller.series(books, "rl")["ret"]
        for other in ("fixed", "no_rl"):
            theirs = controller.series(books, other)["ret"]
            more = (mine - theirs).dropna()
            known = states.shift(1).reindex(more.index)
            rows += [
                (other, str(state), count(len(own)),
                 number(1e4 * own.mean() * inputs.meta.periods_per_year, 0, signed=True))
                for state, own in more.groupby(known)
            ]  # fmt: skip
    if not rows:
        return Text("The test was not played, or the market has no state in it.")
    head = ("Against", "Market's volatility state", "Sessions", "Gain, bp a year")
    return _table("Return over that of other knobs", head, rows, 2)


def _caveats(inputs: ReportInputs) -> Sequence[Block]:
    """What the run itself warns of."""
    said = [f"{str(r.topic).replace('_', ' ')}: {r.text}" for r in inputs.notes.itertuples()]
    drifted = drift.warning(inputs.drift)
    said += [f"drift: {drifted}"] if drifted else []
    metrics = Metrics.of(inputs.metrics)
    slope, se = metrics.alpha("slope"), metrics.alpha("slope_se")
    if not missing(slope) and not missing(se) and abs(slope - 1) > 1.96 * se:
        word = "overstated" if slope < 1 else "understated"
        said.append(f"calibration: alphas are {word}, slope {number(slope)} +- {number(se)}")
    quality = inputs.quality
    if len(quality):
        worst = quality.groupby("check").size().sort_values(ascending=False)
        said.append("data: " + ", ".join(f"{name} {n:,}" for name, n in worst.head(5).items()))
    return [Text(s) for s in said] or [Text("The run warned of nothing.")]


def _limits(inputs: ReportInputs, config: Mapping, own: str) -> Sequence[Block]:
    """Where the model was measured: nothing is claimed beyond it."""
    meta, universe = inputs.meta, config.get("universe", {})
    said = [
        Text(own),
        Text(
            f"Measured on {meta.region.upper()} equities of the {universe.get('size', '')} most "
            f"liquid names, {meta.start} to {meta.end}; nothing is claimed of another market, "
            "another universe or a later day."
        ),
    ]
    if len(inputs.capacity):
        rows = [
            (f"{r.nav:,.0f}", number(r.sharpe), number(r.cost_bp, 0), percent(r.filled, 0))
            for r in inputs.capacity.sort_values("nav").itertuples()
        ]
        head = (f"NAV, {meta.currency}", "Sharpe", "Cost, bp a year", "Filled")
        said.append(_table("Capacity: the same decisions at other sizes", head, rows))
    return said


_TITLE = {
    "model1": "Model 1: industry regimes",
    "model2": "Model 2: stock alphas",
    "rl_policy": "The controller of the optimizer's knobs",
}
_BUILD: Mapping[str, Callable[[Source], dict[str, Sequence[Block]]]] = {
    "model1": _model1, "model2": _model2, "rl_policy": _policy,
}  # fmt: skip
