"""What the alphas rest on: Shapley values at every refit, and families left out."""

import numpy as np
import pandas as pd
from scipy.stats import t as student

from quant.core.types import Frame
from quant.model2.ablation import STATISTICS
from quant.model2.importance import stability
from quant.reporting.blocks import Block, Drawer, Drawers, Section, Tabular, Text, cells, empty
from quant.reporting.figures import Dependence, Forest, Heat, figure, heat_height
from quant.reporting.formats import CORRELATION, DASH, PERCENT, RATIO, count, day, number, percent
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import stamp

SHOWN = 20  # features in the lists and the map
DOTS = 250  # rows of one feature's picture
TONES = 8  # of the palette


def build(inputs: ReportInputs) -> Section:
    """Features and families by weight, how steady that is, what each family adds."""
    blocks: list[Block] = []
    if len(inputs.importance):
        blocks += [_lead(inputs), _explorer(inputs), _map(inputs)]
    else:
        blocks.append(empty("No model was explained"))
    blocks += ablation(inputs)
    return Section("importance", "What the alphas rest on", tuple(blocks))


def _lead(inputs: ReportInputs) -> Block:
    frame = inputs.importance
    text = (
        "A Shapley value is what one feature adds to one name's score, in standard deviations of "
        "the day's scores; over all features they sum to the score less a constant of the day "
        "(TreeSHAP, Lundberg et al. 2018; closed form for linear models; members weighted as in "
        f"the score). {frame['feature'].nunique()} features at {frame['fold'].nunique()} refits."
    )
    steady = stability(frame).dropna()
    if len(steady):
        rank, shared = steady["rank_correlation"], steady["overlap"]
        least = day(steady.loc[rank.idxmin(), "date"])
        text += (
            f" From one refit to the next their order correlates by {number(rank.mean())} "
            f"(lowest {number(rank.min())}, {least}), and {percent(shared.mean(), 0)} of the first "
            "ten stay."
        )
    return Text(text)


def _latest(inputs: ReportInputs) -> Frame:
    """Features of the last refit, the most important first, with their mean share over refits."""
    frame = inputs.importance
    mean = frame.groupby("feature")["share"].mean()
    last = frame[frame["fold"] == frame["fold"].max()].assign(mean=lambda f: f["feature"].map(mean))
    return last.sort_values(["share", "feature"], ascending=[False, True], ignore_index=True)


def _tones(last: Frame) -> dict[str, int]:
    order = last.groupby("family")["share"].sum().sort_values(ascending=False)
    return {str(name): i % TONES for i, name in enumerate(order.index)}


def _explorer(inputs: ReportInputs) -> Block:
    last = _latest(inputs)
    tones, top = _tones(last), float(last["share"].max())
    by_feature = tuple(
        Drawer(
            row.feature, row.family, row.share / top if top else 0.0,
            f"{percent(row.share)} (mean {percent(row.mean)})",
            (_dependence(inputs, row.feature, number_),), tones[row.family],
        )
        for number_, row in enumerate(last.head(SHOWN).itertuples())
    )  # fmt: skip
    families = last.groupby("family")["share"].sum().sort_values(ascending=False)
    by_family = tuple(
        Drawer(
            str(name), f"{(last['family'] == name).sum()} features", share / families.iloc[0],
            f"{percent(share)} of all", (_members(last[last["family"] == name]),), tones[str(name)],
        )
        for name, share in families.items()
    )  # fmt: skip
    return Drawers(
        "shap",
        f"Mean |Shapley value| at the refit of {day(last['date'].iloc[0])}, share of the sum",
        ((f"{len(by_feature)} leading features", by_feature), ("All, by family", by_family)),
        "Open a row: what the feature adds to a score, over its rank among the day's names; each "
        "dot is a name on a session up to the refit, the line joins the means of tenths. A bent "
        "line is a shape that no linear model sees; a wide cloud around it is interaction.",
    )


def _dependence(inputs: ReportInputs, feature: str, place: int) -> Block:
    frame = inputs.shap
    if len(frame):
        frame = frame[(frame["fold"] == frame["fold"].max())]
        frame = frame[frame["feature"] == feature].sort_values(["session", "symbol"])
    if not len(frame):
        return empty(f"No rows of {feature} were kept")
    kept = np.unique(np.linspace(0, len(frame) - 1, min(DOTS, len(frame))).astype(int))
    frame = frame.iloc[kept]
    chart = Dependence(feature, frame["rank"].to_numpy(float), frame["shap"].to_numpy(float), RATIO)
    return figure(f"shap-{place}", chart, height=210, half=True, stamp=stamp(inputs))


def _members(rows: Frame) -> Block:
    head = ("Feature", "Share", "Mean over refits", "Mean |SHAP|")
    body = [
        cells((r.feature, percent(r.share, 2), percent(r.mean, 2), number(r.mean_abs_shap, 3)))
        for r in rows.itertuples()
    ]
    return Tabular(f"{rows['family'].iloc[0]}: all features", head, tuple(body))


def _map(inputs: ReportInputs) -> Block:
    wide = inputs.importance.pivot(index="feature", columns="date", values="share").sort_index()
    order = wide.mean(axis=1).sort_values(ascending=False, kind="stable").index[:SHOWN]
    wide = wide.loc[order].fillna(0.0)
    # a round shade, so that the key reads well
    top = max(0.005 * np.ceil(np.quantile(wide.to_numpy(), 0.99) / 0.005), 0.005)
    columns = [pd.Timestamp(d).strftime("%Y-%m") for d in wide.columns]
    chart = Heat("Importance by refit", list(wide.index), columns, wide.to_numpy(), top, PERCENT)
    return figure(
        "shapmap",
        chart,
        f"Share of the sum of mean |Shapley values| of the {len(order)} features that lead on "
        "average; one column a refit, the last one written out.",
        height=heat_height(len(order)),
        stamp=stamp(inputs),
    )


def ablation(inputs: ReportInputs) -> list[Block]:
    """What each family adds, where the ablation was run."""
    frame = inputs.ablation
    if not len(frame):
        return [empty("No family of features was left out in turn")]
    wide = frame.pivot(index="family", columns="statistic")
    # a statistic that is not there is not said
    every = pd.MultiIndex.from_product([wide.columns.levels[0], STATISTICS])
    wide = wide.reindex(columns=every).sort_index()
    wide = wide.sort_values(("difference", "rank_ic"), ascending=False, kind="stable")
    change, se = wide["difference", "rank_ic"], wide["se", "rank_ic"]
    blocks = int(frame["blocks"].max())
    half = student.ppf(0.975, np.maximum(wide["blocks", "rank_ic"] - 1, 1)) * se
    low, high = (change - half).to_numpy(float), (change + half).to_numpy(float)
    chart = Forest(
        "What each family adds to the rank IC",
        [
            f"{n} ({count(c)})"
            for n, c in zip(wide.index, wide["n_features", "rank_ic"], strict=True)
        ],
        change.to_numpy(float),
        low,
        high,
        [0 if a > 0 else 1 if b < 0 else 2 for a, b in zip(low, high, strict=True)],
        CORRELATION,
    )
    drawn = figure(
        "ablation",
        chart,
        "Rank IC with all features less that without the family (number of its features in "
        f"brackets), on {blocks} purged blocks of time before the first prediction, paired by "
        "block; bars: 95 %, Student t. Below zero the models do better without it. Families "
        "overlap: one that adds nothing may hold what another holds too.",
        stamp=stamp(inputs),
    )
    return [drawn, _ablated(wide, blocks)]


def _ablated(wide: Frame, blocks: int) -> Block:
    def said(name: str, statistic: str, digits: int) -> tuple[str, str]:
        value, se = wide.loc[name, ("difference", statistic)], wide.loc[name, ("se", statistic)]
        ratio = number(value / se, 1, signed=True) if se > 0 else DASH
        return number(value, digits, signed=True), ratio

    rows = []
    for name in wide.index:
        row = [name, count(wide.loc[name, ("n_features", "rank_ic")])]
        row += [number(wide.loc[name, ("without", "rank_ic")], 3)]
        for statistic, digits in (("rank_ic", 3), ("icir", 2), ("spread_bp", 0)):
            row += said(name, statistic, digits)
        rows.append(cells(row))
    whole = wide["whole", "rank_ic"].iloc[0]
    return Tabular(
        "Families left out in turn",
        ("Family", "Features", "Rank IC without", "Rank IC", "t", "ICIR", "t", "Spread, bp", "t"),
        tuple(rows),
        f"With all features the rank IC is {number(whole, 3)}. The columns are what the family "
        f"adds, and that over its standard error across {blocks} blocks. ICIR: of daily rank ICs "
        "within a block; spread: top quintile less bottom one, over the horizon of the label. "
        "Cheap versions of the chosen models: few rounds, one horizon, one draw.",
        fold=True,
    )
