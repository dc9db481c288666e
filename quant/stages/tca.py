"""What trading cost and to what: shortfall by part, styles side by side, capacity, pace."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant.backtest import engine
from quant.backtest.market import Charges, MarketArrays
from quant.core import tables
from quant.core.panel import Panel
from quant.core.seeds import derive, generator
from quant.core.types import Codes, Frame, Vector
from quant.evaluation import summary
from quant.execution import styles
from quant.execution.orders import Orders, Session
from quant.execution.shortfall import PARTS, perold
from quant.stages import book, desk
from quant.stages.registry import Context, Inputs, Stage

if TYPE_CHECKING:
    from quant.settings import Config

# multiples of the run's NAV; decisions acted upon every so many sessions
NAVS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
PACES = (1, 2, 5, 10, 21)
# the acceptance speaks of three years
YEARS = 3


def settings(config: "Config") -> dict[str, Any]:
    """What decides the book, and the bootstrap of the verdict."""
    e = config.evaluation
    return {"book": book.settings(config), "draws": e.bootstrap, "block": e.block}


@dataclass(frozen=True)
class _Run:
    """The recorded book and its market."""

    market: MarketArrays
    bars: Panel
    charges: Charges
    nav: Frame
    fills: Frame
    decisions: Frame
    day: Codes
    asset: Codes


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Six tables; without fills of orders they are empty."""
    b = s["book"]
    market, bars = book.market(b, f, c.region)
    params, membership = f["lambda_params"], f["membership"]
    nav = f["nav"]
    fills, day, asset = _orders(f["fills"], market)
    made = _Run(
        market, bars, book.charged(b, market, bars, c.region, params, membership),
        nav[nav["book"] == "portfolio"].sort_values("date"), fills, f["decisions"], day, asset,
    )  # fmt: skip
    if not len(fills):
        return {t.name: t.empty() for t in STAGE.makes}
    bucket = desk.bucketed(b, bars, desk.members(market, membership))
    daily = _styles(made, s, f, c)
    return {
        "tca_orders": _parts(made, f["children"], bucket),
        "tca_hours": _hours(f["children"], market, b, c.region),
        "exec_styles": daily,
        "exec_gate": _gates(daily, s, c),
        "capacity": _capacity(made, s, f, c),
        "pace": _pace(made, s, f, c),
    }


def _orders(fills: Frame, market: MarketArrays) -> tuple[Frame, Codes, Codes]:
    """Fills that an order asked for, with session and asset of each; events are no orders."""
    event = fills["reason"].isin(("delisted", "source ended"))
    fills = fills[~event].reset_index(drop=True)
    day = np.searchsorted(market.dates, fills["date"].to_numpy("datetime64[D]"))
    return fills, day, pd.Index(market.symbols).get_indexer(fills["symbol"])


def _before(m: MarketArrays, day: Codes, asset: Codes) -> Vector:
    """Price at which an order was decided, in the shares of the session: the last close."""
    return m.mark[day - 1, asset] / m.ratio[day, asset]


def _parts(r: _Run, children: Frame, bucket: np.ndarray) -> Frame:
    """Table `tca_orders`."""
    m, fills, day, asset = r.market, r.fills, r.day, r.asset
    decision = _before(m, day, asset)
    key = ["date", "symbol"]
    split = children.groupby(key)[["spread", "impact"]].sum() if len(children) else None
    own = pd.MultiIndex.from_frame(fills[key])
    if split is None:  # the baseline's formula knows no spread
        spread, impact = np.zeros(len(fills)), fills["cost"].to_numpy(np.float64)
    else:
        spread, impact = split.reindex(own).fillna(0.0).to_numpy().T
    ordered, filled = fills["ordered"].to_numpy(), fills["shares"].to_numpy()
    found = perold(
        ordered, filled, decision, m.open[day, asset], fills["price"].to_numpy(),
        m.mark[day, asset], spread, impact, fills["fee"].to_numpy(np.float64),
    )  # fmt: skip
    money = np.abs(ordered) * decision
    nav = r.nav.set_index("date")["nav"].reindex(
        pd.DatetimeIndex(m.dates[day - 1].astype("datetime64[ns]"))
    )
    return pd.DataFrame(
        {
            "date": fills["date"],
            "symbol": fills["symbol"],
            "side": np.where(ordered > 0, "buy", "sell"),
            "bucket": bucket[day - 1, asset].astype(np.int64),
            "size": money / nav.to_numpy(),
            "ordered": money,
            "filled": np.abs(filled) * decision,
            **{name: getattr(found, name) / money * 1e4 for name in PARTS},
            "reason": fills["reason"],
        }
    )


def _hours(children: Frame, m: MarketArrays, b: Mapping[str, Any], region: str) -> Frame:
    """Table `tca_hours`; empty where orders have no children, or trade in the auction alone."""
    if not len(children) or b["execution"].style == "MOO":
        return tables.TCA_HOURS.empty()
    rows = children[children["shares"] != 0]
    day = np.searchsorted(m.dates, rows["date"].to_numpy("datetime64[D]"))
    asset = pd.Index(m.symbols).get_indexer(rows["symbol"])
    shares = rows["shares"].to_numpy()
    lost = pd.DataFrame(
        {
            "hour": rows["slot"].to_numpy() * b["execution"].simulator.bar_minutes // 60,
            "value": np.abs(shares) * rows["price"].to_numpy(),
            "timing": (rows["price"].to_numpy() - m.open[day, asset]) * shares,
            **{name: rows[name].to_numpy() for name in ("spread", "impact", "fee")},
        }
    )
    by = lost.groupby("hour", as_index=False).sum()
    for name in ("timing", "spread", "impact", "fee"):
        by[name] = by[name] / by["value"] * 1e4
    return by


def _styles(r: _Run, s: Mapping[str, Any], f: Inputs, c: Context) -> Frame:
    """Table `exec_styles`: the last three years."""
    b, m = s["book"], r.market
    base = desk.scheduled(b, m, r.bars, f["intraday"], c.region, c.seed)
    base.tapes = styles.OneSession(base.tapes)
    others = desk.tapes(b, m, r.bars, f["intraday"], c.region, derive(c.seed, "other paths"))
    # an auction has no least child; continuous trading has, whatever the run's own style
    base.rules = desk.rules(b, c.region, m, "POV")
    made = styles.desks(base, styles.OneSession(others))
    nav = r.nav.set_index("date")["nav"]
    first = m.dates[r.day[-1]] - np.timedelta64(365 * YEARS, "D")
    days = list(styles.parents({"day": r.day, "asset": r.asset, "ordered": _ordered(r)}, m.dates))
    days = [one for one in days if m.dates[one[0]] >= first]
    tick, rows = c.tick("tca"), []
    out = _leaving(r.decisions, m)
    for number, (t, asset, shares) in enumerate(days):
        orders = Orders(asset, shares, np.isin(asset, out.get(t - 1, ())))
        session = _session(r, t, float(nav[pd.Timestamp(m.dates[t - 1])]))
        for (scenario, style), traded in made.items():
            found = styles.worked(traded, orders, session, m.mark[t])
            traded.log.clear()
            if found is not None:
                rows.append((m.dates[t], style, scenario, found.shortfall_bp, found.filled))
        tick(number + 1, len(days))
    table = pd.DataFrame(rows, columns=tables.EXEC_STYLES.schema.names)
    return table.assign(date=table["date"].astype("datetime64[ns]"))


def _ordered(r: _Run) -> Vector:
    return r.fills["ordered"].to_numpy(np.float64)


def _leaving(decisions: Frame, m: MarketArrays) -> dict[int, Codes]:
    """Session of a decision -> names whose whole position is to go."""
    gone = decisions[decisions["weight"] == 0]
    day = np.searchsorted(m.dates, gone["date"].to_numpy("datetime64[D]"))
    asset = pd.Index(m.symbols).get_indexer(gone["symbol"])
    return {int(t): asset[day == t] for t in np.unique(day)}


def _session(r: _Run, t: int, nav: float) -> Session:
    m, c = r.market, r.charges
    return Session(
        t=t, open=m.open[t], limit_up=m.limit_up[t], limit_down=m.limit_down[t],
        before=m.mark[t - 1] / m.ratio[t], held=np.zeros(m.symbols.size), cash=0.0, nav=nav,
        lambda1=c.lambda1[t], lambda2=c.lambda2[t], buy_fee=0.0, sell_fee=0.0, lots=m.lots,
    )  # fmt: skip


def _gates(daily: Frame, s: Mapping[str, Any], c: Context) -> Frame:
    """Table `exec_gate`: the base, and what the simulator's assumptions do to it."""
    wide = daily.pivot(index="date", columns=["scenario", "style"], values="shortfall_bp")
    rows = []
    for scenario in dict.fromkeys(daily["scenario"]):
        of = {
            style: wide[(scenario if (scenario, style) in wide else "base", style)]
            for style in ("POV", "MOO")
        }
        pair = pd.DataFrame(of).dropna().to_numpy()
        if len(pair) < 2:
            continue
        rng = generator(c.seed, "tca", scenario)
        found = styles.gate(pair[:, 0], pair[:, 1], s["block"], s["draws"] or 200, rng)
        rows.append({"scenario": scenario, **asdict(found)})
    if not rows:
        return tables.EXEC_GATE.empty()
    c.metrics["tca.pov_less_moo_bp"] = rows[0]["difference"]
    return pd.DataFrame(rows)


def _replay(
    r: _Run, s: Mapping[str, Any], f: Inputs, c: Context, capital: float, every: int
) -> dict[str, float]:
    """Numbers of the recorded decisions with `capital`, acted upon every so many of them."""
    m, b = r.market, s["book"]
    wanted = dict(_decided(r.decisions, m))
    acted = set(sorted(wanted)[::every])
    first, last = m.index(r.nav["date"].iloc[0]), m.index(r.nav["date"].iloc[-1])

    def decide(t: int, state: engine.State) -> Vector | None:
        return wanted[t] if t in acted else None

    result = engine.run(
        m, decide, desk.execute(b, m, r.bars, f["intraday"], c.region, c.seed),
        charges=r.charges, capital=capital, first=first, last=last,
    )  # fmt: skip
    numbers = summary.book(result.nav_table("x"), b["region"].periods)
    fills = result.fills
    price = fills["price"].fillna(0.0)
    asked = float((fills["ordered"].abs() * price).sum())
    return {
        **{name: numbers[name] for name in ("ann_return", "ann_vol", "sharpe")},
        "cost_bp": numbers["cost_bp_ann"],
        "turnover": numbers["turnover_ann"],
        "filled": float((fills["shares"].abs() * price).sum()) / asked if asked else np.nan,
        "cash": float((result.cash / result.nav).mean()),
    }


def _decided(decisions: Frame, m: MarketArrays) -> Iterator[tuple[int, Vector]]:
    day = np.searchsorted(m.dates, decisions["date"].to_numpy("datetime64[D]"))
    asset = pd.Index(m.symbols).get_indexer(decisions["symbol"])
    weight = decisions["weight"].to_numpy(np.float64)
    for t in np.unique(day):
        target = np.zeros(m.symbols.size)
        target[asset[day == t]] = weight[day == t]
        yield int(t), target


def _capacity(r: _Run, s: Mapping[str, Any], f: Inputs, c: Context) -> Frame:
    """Table `capacity`."""
    own = s["book"]["region"].nav
    rows = [{"nav": own * k, **_replay(r, s, f, c, own * k, 1)} for k in NAVS]
    return pd.DataFrame(rows)


def _pace(r: _Run, s: Mapping[str, Any], f: Inputs, c: Context) -> Frame:
    """Table `pace`."""
    own = s["book"]["region"].nav
    return pd.DataFrame([{"every": k, **_replay(r, s, f, c, own, k)} for k in PACES])


STAGE = Stage(
    "tca",
    needs=(
        tables.BARS, tables.SESSIONS, tables.LISTINGS, tables.RATES, tables.MEMBERSHIP,
        tables.INTRADAY, tables.LAMBDA_PARAMS, tables.NAV, tables.FILLS, tables.CHILDREN,
        tables.DECISIONS,
    ),
    makes=(
        tables.TCA_ORDERS, tables.TCA_HOURS, tables.EXEC_STYLES, tables.EXEC_GATE,
        tables.CAPACITY, tables.PACE,
    ),
    settings=settings,
    run=run,
    module=__name__,
)  # fmt: skip
