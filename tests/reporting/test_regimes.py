"""The regime panel: what it says of the last session, of the window, and of its own worth."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant.model1 import neutral, states
from quant.reporting.formats import number, percent
from quant.reporting.page import render
from quant.reporting.sections import regimeprices, regimes, regimestates, regimeworth
from quant.reporting.sections.regimestates import TREND, now, within
from tests.reporting import sample
from tests.reporting.pages import sound


@pytest.fixture(scope="module")
def inputs():
    return sample.full(names=12, years=1.5)


@pytest.fixture(scope="module")
def flat(inputs):
    """A market whose industries are their own groups."""
    parents = inputs.parent_states
    return replace(inputs, parent_states=parents[parents["level"] == "market"])


def neutrally(inputs):
    """The tables of a run without Model 1."""
    membership = inputs.membership
    off = dict.fromkeys(states.empty(), pd.DataFrame()) | {
        "states": neutral.states(membership, 0.25, 0.0),
        "regime": neutral.regime(np.unique(inputs.regime["date"].to_numpy()), 0.12),
        "attribution": pd.DataFrame(),
    }
    return replace(inputs, **off)


def of_kind(section, kind):
    return [b for b in section.blocks if b.kind_of == kind]


def test_without_regimes_there_is_one_sentence(inputs):
    for nothing in (neutrally(inputs), sample.empty()):
        (block,) = regimes.build(nothing).blocks
        assert block.text.startswith("Regimes are off") and block.text.count(".") == 2
        assert "sprint=s1 or model1.enabled=true" in block.text


def test_the_headline_repeats_the_tables(inputs):
    last = inputs.states["date"].max()
    market = inputs.parent_states[inputs.parent_states["date"] == last].set_index("node_id")
    market = market.loc["market"]
    (said,) = of_kind(regimes.build(inputs), "verdict")
    trend = max(("bull", "sideways", "bear"), key=lambda s: market[f"p_trend_{s}"])
    vol = max(("calm", "turbulent", "crisis"), key=lambda s: market[f"p_vol_{s}"])
    assert said.headline.startswith(
        f"On {last:%Y-%m-%d} the market is in a {trend} trend "
        f"({percent(market[f'p_trend_{trend}'], 0)}) with {vol} volatility "
        f"({percent(market[f'p_vol_{vol}'], 0)}); correlations are "
    )
    regime = inputs.regime.set_index("date").loc[last]
    assert ("not systemic" in said.headline) == (regime["p_systemic"] < 0.5)
    assert f"target is {percent(regime['vol_target'])} a year" in said.sentences[0]
    own = inputs.states[inputs.states["date"] == last].set_index("industry_id")
    halved = int((own["cap_long"] < 0.2).sum())
    assert f"halved in {halved} of 12" in said.sentences[0] or halved == 0
    least = own["tilt_bp"].idxmin()
    assert f"from {number(own['tilt_bp'].min(), 1)} bp ({least})" in said.sentences[1]


@pytest.mark.parametrize(
    ("cap", "words"),
    [
        (0.25, "Caps are tightened in none of 12 industries."),
        (0.125, "Caps are halved in 12 of 12 industries."),
        (0.15, "Caps are tightened in 12 of 12 industries, to 60% of the usual at least."),
    ],
)
def test_caps_are_told_by_what_they_are(inputs, cap, words):
    made = replace(inputs, states=inputs.states.assign(cap_long=np.float32(cap)))
    assert of_kind(regimes.build(made), "verdict")[0].sentences[0].endswith(words)


def test_the_market_may_be_unknown(inputs):
    (said,) = of_kind(regimes.build(replace(inputs, parent_states=pd.DataFrame())), "verdict")
    assert "the market's state is not known" in said.headline


def test_a_cap_that_is_not_stated_is_the_widest_there_was(inputs):
    bare = replace(inputs, meta=replace(inputs.meta, group_cap=None))
    assert regimestates.untightened(bare) == 0.25
    np.testing.assert_array_equal(now(bare).industries["tight"], now(inputs).industries["tight"])


def ended(inputs, systemic, industry, sector):
    """Everything tightened on the last session, with these probabilities on every session."""
    return replace(
        inputs,
        states=inputs.states.assign(
            p_sys_systemic=systemic, p_vol_crisis=industry, cap_long=np.float32(0.125)
        ),
        parent_states=inputs.parent_states.assign(p_vol_crisis=sector),
    )


@pytest.mark.parametrize(
    ("systemic", "industry", "sector", "with_sectors", "without"),
    [
        (0.5, 0.0, 0.0, "systemic", "systemic"),
        (0.4, 0.0, 0.3, "crisis", "crisis"),
        (0.6, 0.9, 0.0, "systemic", "systemic, crisis"),
        (0.6, 0.0, 0.3, "systemic, crisis", "systemic"),
        (0.6, 0.0, 0.29, "systemic", "systemic"),
    ],
)
def test_a_cap_is_tight_for_its_group(
    inputs, flat, systemic, industry, sector, with_sectors, without
):
    """Of a market with sectors it is the sector's crisis that tightens, else the industry's."""
    for given, why in ((inputs, with_sectors), (flat, without)):
        found = now(ended(given, systemic, industry, sector)).industries
        assert found["tight"].all() and set(found["why"]) == {why}


def test_under_sectors_the_whole_is_folded(inputs):
    first, whole = regimestates.table(inputs, now(inputs))
    assert not first.fold and whole.fold and len(whole.rows) == 12
    assert [r[0].text for r in first.rows][0] == "Market"
    assert {r[0].text for r in first.rows} == {"Market", *sample.GROUPS}
    sectors = [r[0].text.split(".")[0] for r in whole.rows]
    assert sectors == sorted(sectors) and all(r[1].text == "20" for r in whole.rows)
    assert all(len(r) == len(t.head) for t in (first, whole) for r in t.rows)


def test_a_sector_stands_beside_an_industry_that_does_not_name_it(inputs):
    def renamed(frame, column):
        return frame.assign(**{column: frame[column].str.replace("Energy.", "Oil ")})

    made = replace(
        inputs,
        states=renamed(inputs.states, "industry_id"),
        membership=renamed(inputs.membership, "industry_id"),
        indices=renamed(inputs.indices, "node_id"),
    )
    _, whole = regimestates.table(made, now(made))
    rows = {r[0].text: r for r in whole.rows}
    assert whole.head[:3] == ("Industry", "Sector", "Members") and whole.texts == 2
    assert [rows["Oil 1"][i].text for i in (1, 2)] == ["Energy", "20"]
    # the sector's crisis still decides why the cap is tight
    crisis = ended(made, 0.6, 0.0, 0.9)
    assert set(now(crisis).industries["why"]) == {"systemic, crisis"}


def test_industries_without_sectors_stand_in_one_table_by_tilt(flat):
    (table,) = regimestates.table(flat, now(flat))
    assert not table.fold and len(table.rows) == 13
    assert [c.text for c in table.rows[0][:2]] == ["Market", "20"]
    tilts = [float(r[9].text.replace("−", "-")) for r in table.rows[1:]]
    assert tilts == sorted(tilts, reverse=True) and table.head[9] == "Tilt, bp"
    assert all(len(r) == len(table.head) for r in table.rows)
    last = flat.states["date"].max()
    own = flat.states[flat.states["date"] == last].set_index("industry_id")
    for row in table.rows[1:]:
        truth = own.loc[row[0].text]
        names = (*TREND, "p_vol_calm", "p_vol_turbulent", "p_vol_crisis")
        assert [c.text for c in row[2:8]] == [percent(truth[n], 0) for n in names]
        strong = [n for n, c in zip(names, row[2:8], strict=True) if c.css == "strong"]
        assert strong == [max(names[:3], key=truth.get), max(names[3:], key=truth.get)]
        assert row[10].text == percent(truth["cap_long"])


def test_maps_are_means_of_weeks_or_months(inputs):
    frame = inputs.parent_states.assign(trend=lambda f: f["p_trend_bull"] - f["p_trend_bear"])
    for every, key in (("W", lambda d: d - pd.Timedelta(days=d.weekday())),
                       ("M", lambda d: d.replace(day=1))):  # fmt: skip
        made = regimestates._by_period(frame, "trend", every)
        wanted = {}
        for d, n, v in zip(frame["date"], frame["node_id"], frame["trend"], strict=True):
            wanted.setdefault((n, key(d)), []).append(float(v))
        assert made.size == len(wanted)
        for (n, d), values in wanted.items():
            assert made.loc[n, d] == pytest.approx(np.mean(values), abs=1e-6)


def test_maps_show_sectors_where_there_are_any(inputs, flat):
    for given, rows in ((inputs, 7), (flat, 13)):
        trend, crisis = regimestates.maps(given)
        names = re.findall(r"text-anchor='end'>([^<]*)</text>", str(trend.wide))
        assert len([n for n in names if n != "SIMULATED"]) == rows and names[0] == "Market"
        assert "each week" in trend.caption and "line runs through" in trend.caption
        assert re.findall(r"text-anchor='end'>([^<]*)</text>", str(crisis.wide)) == names
        # what is written at the end of the first row: the market over the last week
        market = given.parent_states[given.parent_states["node_id"] == "market"]
        monday = market["date"].max().to_period("W").start_time
        week = market[market["date"] >= monday]
        lead = (week["p_trend_bull"].astype(float) - week["p_trend_bear"]).mean()
        assert f">{number(100 * lead, 0)} pp</text>" in trend.wide
        assert f">{percent(week['p_vol_crisis'].astype(float).mean())}</text>" in crisis.wide
        assert trend.wide.index("Market</text>") < trend.wide.index(" pp</text>")
    long = sample.full(names=6, years=3)
    assert "each month" in regimestates.maps(long)[0].caption


def test_what_lies_outside_the_window_is_not_shown(inputs):
    """A longer history changes nothing, though all of it would be systemic and in crisis."""
    late = pd.Timestamp(inputs.meta.end) + pd.Timedelta(days=1)
    frames = {}
    for name in ("states", "regime", "parent_states", "overrides", "breaks", "indices",
                 "hmm_fits", "flip_fits"):  # fmt: skip
        frame = getattr(inputs, name)
        more = [frame.assign(date=day) for day in (late, pd.Timestamp("2011-12-30"))]
        keys = [c for c in frame if c in ("date", "node_id", "industry_id", "stream", "kind")]
        more = [f.drop_duplicates(keys) for f in more]
        frames[name] = pd.concat([*more, frame], ignore_index=True)
    assert regimes.build(replace(inputs, **frames)) == regimes.build(inputs)


def test_alarms_are_first_sessions(inputs):
    dates = pd.bdate_range("2015-01-01", periods=60).to_numpy()
    flagged = [3, 4, 5, 10, 16, 17, 40, 59]

    def made(at, **columns):
        return pd.DataFrame({"date": dates[at], "node_id": "market", "stream": "vol", **columns})

    breaks = pd.concat([made(flagged), made([0], node_id="x"), made([1], stream="slope")])
    # 10 is five sessions after 5, 16 is six after 10
    assert regimeprices.alarms(breaks, "market", "vol", dates).tolist() == [3, 16, 40, 59]
    assert regimeprices.alarms(breaks, "market", "slope", dates).tolist() == [1]
    assert regimeprices.alarms(pd.DataFrame(), "market", "vol", dates).size == 0


def test_price_lines_grow_by_their_returns(inputs):
    made = regimeprices.levels(inputs.indices)
    rows = inputs.indices[inputs.indices["node_id"] == "Energy"].sort_values("date")
    wanted = np.exp(np.log1p(rows["ret"].to_numpy()[1:]).sum())
    assert made["Energy"].iloc[0] == 1.0 and made["Energy"].iloc[-1] == pytest.approx(wanted)
    gap = inputs.indices.copy()
    day = gap["date"].unique()[7]
    gap.loc[(gap["date"] == day) & (gap["node_id"] == "Energy"), "ret"] = np.nan
    price = regimeprices.levels(gap)["Energy"]
    assert price.isna().sum() == 1 and np.isnan(price[day])
    lost = 1 + rows.set_index("date")["ret"][day]
    assert price.iloc[-1] == pytest.approx(wanted / lost)


def test_best_and_worst_are_industries_known_nearly_always(inputs):
    indices = inputs.indices
    growth = indices[indices["level"] == "industry"].groupby("node_id")["ret"]
    order = growth.apply(lambda r: np.log1p(r).iloc[1:].sum()).sort_values(ascending=False).index
    made = regimeprices.ends(indices, regimeprices.levels(indices))
    assert [n for n, _ in made] == [*order[:2], *order[::-1][:2]]
    assert [said for _, said in made] == ["Grew most"] * 2 + ["Grew least"] * 2
    late = indices["date"] < indices["date"].unique()[100]
    short = indices[~(late & (indices["node_id"] == order[0]))]
    made = regimeprices.ends(short, regimeprices.levels(short))
    assert order[0] not in [n for n, _ in made] and made[0][0] == order[1]


def test_the_market_s_marks_are_counted(inputs):
    first = regimeprices.blocks(inputs)[0]
    dates = np.unique(inputs.indices["date"].to_numpy())
    vol, slope = (regimeprices.alarms(inputs.breaks, "market", s, dates) for s in ("vol", "slope"))
    assert first.caption.endswith(
        f"volatility changed {vol.size} times; slope changed {slope.size} times."
    )
    wide = str(first.wide)
    assert wide.count("class='f7'") == vol.size and wide.count("class='f4'") == slope.size


@pytest.mark.parametrize(
    ("d", "low", "high", "words"),
    [
        (0.1, 0.01, 0.2, "added, beyond chance"),
        (-0.1, -0.2, -0.01, "cost, beyond chance"),
        (0.1, -0.01, 0.2, "not beyond chance"),
        (0.1, 0.0, 0.2, "not beyond chance"),
        (0.1, np.nan, np.nan, "not tested"),
        (0.0, 0.0, 0.0, "no difference"),
    ],
)
def test_a_flag_is_judged_by_its_interval(inputs, d, low, high, words):
    row = {"d_sharpe": d, "low": low, "high": high}
    assert regimeworth.judged(pd.Series(row)) == words
    frame = inputs.attribution[inputs.attribution["flag"].isin(["none", "caps"])].assign(**row)
    said, *drawn, table = regimeworth.attribution(replace(inputs, attribution=frame))
    assert len(drawn) == (d != 0)
    assert words in said.text and table.rows[1][-1].text == words
    assert "All three" not in said.text and "intervals" not in said.text


def test_attribution_leads_with_all_flags_together(inputs):
    said, drawn, table = regimeworth.attribution(inputs)
    assert said.text.startswith(
        "All three flags together change the Sharpe ratio by +0.04 (95% −0.10 to +0.18): not "
        "beyond chance."
    )
    assert "caps −0.05 (95% −0.09 to −0.01), cost, beyond chance" in said.text
    assert said.text.endswith("These are 4 intervals, each at 95% by itself.")
    assert [r[0].text for r in table.rows] == [
        "Nothing (the book)", "All three", "Tilts", "Caps", "Volatility target",
    ]  # fmt: skip
    assert [r[8].text for r in table.rows] == ["–", "+0.04", "+0.08", "−0.05", "+0.02"]
    assert "Caps: −0.05 (−0.09 to −0.01)" in drawn.wide


def test_without_attribution_that_is_said(inputs):
    (said,) = regimeworth.attribution(replace(inputs, attribution=pd.DataFrame()))
    assert said.kind == "empty"


def test_counts_are_those_of_the_tables(inputs):
    caps, overrides, flags, flips, target = regimeworth.counts(inputs).tiles
    assert caps.value == percent((inputs.states["cap_long"] < 0.2).mean())
    assert f"{len(inputs.states):,} industry-days" in caps.detail
    assert overrides.value == str(len(inputs.overrides))
    pairs = set(zip(inputs.breaks["date"], inputs.breaks["node_id"], strict=True))
    assert flags.value == f"{len(pairs):,}"
    assert flips.value == "0.190" and "base rate 0.200: 5.0% better" in flips.detail
    assert target.value == percent(inputs.regime["vol_target"].min())


def test_a_forecast_worse_than_its_base_rate_is_called_so(inputs):
    worse = inputs.flip_fits.assign(brier=0.22)
    assert "10.0% worse" in regimeworth._flips(replace(inputs, flip_fits=worse)).detail
    none = inputs.flip_fits.assign(brier=np.nan)
    assert "no forecast has an outcome yet" in regimeworth._flips(
        replace(inputs, flip_fits=none)
    ).detail  # fmt: skip


def test_the_models_are_shown_in_units_of_a_year(inputs):
    (table,) = regimeworth.models(inputs)
    rows = {(r[0].text, r[1].text): [c.text for c in r[2:]] for r in table.rows}
    assert len(rows) == 6
    # sample: means 1e-4 i, deviations 5e-3 i a session, stays 0.9, 0.95, 0.98
    assert rows["Trend", "bear"] == ["2.5%", "126.0%", "10"]
    assert rows["Volatility", "crisis"] == ["7.6%", percent(0.015 * np.sqrt(252)), "50"]


def test_the_gauge_counts_systemic_sessions(inputs):
    (drawn,) = [b for b in of_kind(regimes.build(inputs), "figure") if b.title == "Systemic gauge"]
    share = (inputs.regime["p_systemic"] >= 0.5).mean()
    assert f"So it was on {percent(share)} of {len(inputs.regime):,} sessions" in drawn.caption


@pytest.mark.parametrize("years", [1.5, 0.1])
def test_the_section_stands_on_a_page(years):
    page = render(sample.full(names=6, years=years))
    sound(page)
    section = re.search(r'<section id="regimes">.*?</section>', page, re.S).group(0)
    assert len(section) < 300_000
    assert section.index("verdict") < section.index("<figure>")


def test_within_keeps_order_and_window(inputs):
    shuffled = replace(inputs, breaks=inputs.breaks.sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(within(shuffled, "breaks"), within(inputs, "breaks"))
