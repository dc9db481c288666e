"""Subclasses of Qlib's exchange, account, executor and strategy for `reference`.

Imported after `qlib.init` only: Qlib reads its global configuration when these are built.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from qlib.backtest.account import Account
from qlib.backtest.decision import BaseTradeDecision, Order, OrderDir, TradeDecisionWO
from qlib.backtest.exchange import Exchange
from qlib.backtest.executor import SimulatorExecutor
from qlib.backtest.high_performance_ds import BaseQuote
from qlib.backtest.position import BasePosition, Position
from qlib.backtest.utils import CommonInfrastructure
from qlib.strategy.base import BaseStrategy

from quant.backtest.reference import LIMITS, Plan
from quant.core.errors import DataError
from quant.core.types import Vector
from quant.costs.model import trade_costs
from quant.execution.moo import affordable
from quant.execution.orders import Orders, Session, from_targets


class DenseQuote(BaseQuote):
    """Quotes as one array a field; a look-up is two dictionary reads."""

    def __init__(self, quote_df: pd.DataFrame, freq: str) -> None:
        super().__init__(quote_df=quote_df, freq=freq)
        names = quote_df.index.get_level_values("instrument")
        days = quote_df.index.get_level_values("datetime")
        axis = days.unique().sort_values()
        columns, labels = pd.factorize(names)
        row = axis.get_indexer(days)
        self.column = {name: i for i, name in enumerate(labels)}
        self.row = {day: i for i, day in enumerate(axis)}
        self.data: dict[str, np.ndarray] = {}
        for field in quote_df.columns:
            values = quote_df[field].to_numpy()
            flags = values.dtype == bool
            dense = np.full((len(axis), len(labels)), flags or np.nan, bool if flags else float)
            dense[row, columns] = values
            self.data[field] = dense

    def get_all_stock(self) -> Iterable[str]:
        """All instruments."""
        return self.column.keys()

    def get_data(
        self,
        stock_id: str,
        start_time: pd.Timestamp,
        end_time: pd.Timestamp,
        field: str,
        method: str | None = None,
    ) -> Any:
        """Value of `field` in the one session that starts at `start_time`."""
        column, row = self.column.get(stock_id), self.row.get(start_time)
        if column is None or row is None:
            return None
        return self.data[field][row, column]


class CostedExchange(Exchange):
    """Lots by board, trade costs and fees by our formula; `open_session` sets the day's terms."""

    def __init__(self, plan: Plan, **kwargs: Any) -> None:
        self.plan = plan
        self.at = {name: i for name, i in zip(plan.names, plan.column, strict=True)}
        self.cost = self.fee = self.traded = 0.0
        super().__init__(**kwargs)

    def open_session(self, t: int, nav: float) -> None:
        """Start session `t`; `nav` is that of the close before, to which costs relate."""
        self.t, self.nav = t, nav
        self.cost = self.fee = self.traded = 0.0

    def amount(self, order: Order, held: float) -> float:
        """Adjusted shares of `order` in whole lots; a sell of everything goes through as it is."""
        factor = self.get_factor(order.stock_id, order.start_time, order.end_time)
        wanted = order.amount if order.direction == OrderDir.BUY else min(order.amount, held)
        if order.direction == OrderDir.SELL and wanted >= held:
            return held
        asset = np.array([self.at[order.stock_id]])
        return float(self.plan.market.lots.whole(np.array([wanted * factor]), asset)[0]) / factor

    def price_of(self, order: Order) -> float:
        """Adjusted price at which `order` deals."""
        return self.get_deal_price(
            order.stock_id, order.start_time, order.end_time, order.direction
        )

    def charge(self, order: Order, value: float, linear_only: bool = False) -> tuple[float, float]:
        """Cost and fee, in money, of dealing `value`."""
        i, c = self.at[order.stock_id], self.plan.charges
        quadratic = 0.0 if linear_only else c.lambda2[self.t, i]
        cost = self.nav * trade_costs(value / self.nav, c.lambda1[self.t, i], quadratic)
        rate = c.buy_fee if order.direction == OrderDir.BUY else c.sell_fee
        return float(cost), value * float(rate[self.t])

    def _calc_trade_info_by_order(
        self, order: Order, position: BasePosition | None, dealt_order_amount: dict
    ) -> tuple[float, float, float]:
        price = self.price_of(order)
        held = position.get_stock_amount(order.stock_id)
        order.factor = self.get_factor(order.stock_id, order.start_time, order.end_time)
        order.deal_amount = self.amount(order, held)
        value = order.deal_amount * price
        cost, fee = self.charge(order, value)
        if order.direction == OrderDir.BUY:
            short = value + cost + fee > position.get_cash() + 1e-9 * self.nav
            if short:
                order.deal_amount = value = cost = fee = 0.0
        self.cost, self.fee = self.cost + cost, self.fee + fee
        self.traded += value
        return price, value, cost + fee


class SortedPosition(Position):
    """Position that adds up in one order; Qlib's own follows Python's hash seed."""

    def get_stock_list(self) -> list[str]:
        """Held symbols, sorted."""
        return sorted(super().get_stock_list())


class LeanAccount(Account):
    """Account without the daily copy of every position and the order indicators."""

    def init_vars(self, *args: Any, **kwargs: Any) -> None:
        """Hold a position whose value is the same sum in every process."""
        self._pos_type = SortedPosition
        super().init_vars(*args, **kwargs)

    def update_hist_positions(self, trade_start_time: pd.Timestamp) -> None:
        """Keep no history of positions; the run records what it needs."""

    def update_indicator(self, *args: Any, **kwargs: Any) -> None:
        """Compute no order indicators."""


class PooledExecutor(SimulatorExecutor):
    """Sells first; buys that cash can not cover are scaled down together, as in the ledger."""

    def _collect_data(
        self, trade_decision: BaseTradeDecision, level: int = 0
    ) -> tuple[list[object], dict]:
        orders = trade_decision.get_decision()
        sells = [o for o in orders if o.direction == OrderDir.SELL]
        buys = [o for o in orders if o.direction == OrderDir.BUY]
        done = [self._deal(order) for order in sells]
        self._scale(buys)
        done += [self._deal(order) for order in buys]
        return done, {"trade_info": done}

    def _deal(self, order: Order) -> tuple[Order, float, float, float]:
        value, cost, price = self.trade_exchange.deal_order(order, trade_account=self.trade_account)
        return order, value, cost, price

    def _scale(self, buys: list[Order]) -> None:
        exchange: CostedExchange = self.trade_exchange
        live = [order for order in buys if exchange.check_order(order)]
        value, linear, total = np.zeros((3, len(live)))
        for k, order in enumerate(live):
            value[k] = exchange.amount(order, 0.0) * exchange.price_of(order)
            linear[k] = sum(exchange.charge(order, value[k], linear_only=True))
            total[k] = sum(exchange.charge(order, value[k]))
        scale = affordable(value, linear, total - linear, self.trade_account.get_cash())
        if scale < 1.0:
            for k, order in enumerate(live):
                order.amount = scale * value[k] / exchange.price_of(order)


class TargetReplay(BaseStrategy):
    """Plays events of the morning, then turns the targets of the last close into orders."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def generate_trade_decision(self, execute_result: list | None = None) -> BaseTradeDecision:
        """Orders of this step: Qlib deals them at the step's open."""
        t = self.plan.first + 1 + self.trade_calendar.get_trade_step()
        start, end = self.trade_calendar.get_step_time()
        position = self.trade_position
        nav = position.calculate_value()
        self.trade_exchange.open_session(t, nav)
        held = np.array([position.get_stock_amount(name) for name in self.plan.names])
        mark = self._marks(t)
        target = self.plan.targets.get(t - 1)
        gone = self._events(t, position)
        if target is None:
            return TradeDecisionWO([], self)
        wanted = from_targets(target, held, mark, nav, held * mark / nav)
        orders = [
            Order(
                stock_id=self.plan.names[i],
                amount=abs(shares),
                direction=OrderDir.BUY if shares > 0 else OrderDir.SELL,
                start_time=start,
                end_time=end,
            )
            for i, shares in zip(wanted.asset, wanted.shares, strict=True)
            if self.plan.names[i] not in gone
        ]
        return TradeDecisionWO(orders, self)

    def _marks(self, t: int) -> Vector:
        """Last adjusted close before session `t`, 0 before the first."""
        if not hasattr(self, "_carried"):
            quote: DenseQuote = self.trade_exchange.quote
            close = pd.DataFrame(quote.data["$close"], index=list(quote.row)).ffill()
            close = close[[quote.column[name] for name in self.plan.names]]
            days = pd.DatetimeIndex(self.plan.market.dates[: self.plan.last + 1])
            self._carried = close.reindex(days, method="ffill").fillna(0.0).to_numpy()
        return self._carried[t - 1]

    def _events(self, t: int, position: BasePosition) -> set[str]:
        """Interest on cash, and delistings: Qlib would keep those at the last price for ever."""
        m, book = self.plan.market, position.position
        book["cash"] *= 1.0 + float(m.rf[t])
        gone = np.flatnonzero(m.exit_day[self.plan.column] == t)
        names = {self.plan.names[k] for k in gone}
        for k in gone:
            name = self.plan.names[k]
            if position.check_stock(name):
                growth = 1.0 + float(m.exit_return[self.plan.column[k]])
                book["cash"] += book[name]["amount"] * book[name]["price"] * growth
                del book[name]
        return names


class Child(Order):
    """A child order: it deals at the price of its interval, and pays what the desk says.

    price : adjusted; cost, fee : money; amount is in adjusted shares, as Qlib's are
    """

    price: float
    cost: float
    fee: float


class ScheduledExchange(CostedExchange):
    """Children deal as they were worked: price, cost and fee are their own."""

    def check_order(self, order: Order) -> bool:
        """Whether `order` may trade: limits and suspensions were met interval by interval."""
        return True

    def _calc_trade_info_by_order(
        self, order: Order, position: BasePosition | None, dealt_order_amount: dict
    ) -> tuple[float, float, float]:
        order.factor = self.get_factor(order.stock_id, order.start_time, order.end_time)
        held = position.get_stock_amount(order.stock_id)
        order.deal_amount = order.amount
        if order.direction == OrderDir.SELL and abs(order.amount - held) <= 1e-9 * held:
            order.deal_amount = held  # the last piece of a position, rounding included
        value = order.deal_amount * order.price
        self.cost, self.fee = self.cost + order.cost, self.fee + order.fee
        self.traded += value
        return order.price, value, order.cost + order.fee


class ScheduledOrdersStrategy(TargetReplay):
    """Turns the targets of the last close into parents, and parents into children.

    The schedule is the ledger's own code, fed with Qlib's positions, cash and prices; what is
    dealt and held, and what it is worth, is Qlib's.
    """

    def generate_trade_decision(self, execute_result: list | None = None) -> BaseTradeDecision:
        """Children of this session in the order in which they traded."""
        plan, m, c = self.plan, self.plan.market, self.plan.charges
        t = plan.first + 1 + self.trade_calendar.get_trade_step()
        start, end = self.trade_calendar.get_step_time()
        position = self.trade_position
        nav = position.calculate_value()
        self.trade_exchange.open_session(t, nav)
        adjusted = np.array([position.get_stock_amount(name) for name in plan.names])
        mark = self._marks(t)
        target = plan.targets.get(t - 1)
        gone = self._events(t, position)
        if target is None:
            return TradeDecisionWO([], self)
        wanted = from_targets(target, adjusted, mark, nav, adjusted * mark / nav)
        stay = [k for k, i in enumerate(wanted.asset) if plan.names[i] not in gone]
        factor = self._factors(t)
        asset = plan.column[wanted.asset[stay]]
        order = np.argsort(asset)
        raw = (wanted.shares * factor[wanted.asset])[stay]
        orders = Orders(asset[order], raw[order], wanted.exit[stay][order])
        held = np.zeros(m.symbols.size)
        for k, name in enumerate(plan.names):
            held[plan.column[k]] = position.get_stock_amount(name) * factor[k]
        session = Session(
            t=t, open=m.open[t], limit_up=m.limit_up[t], limit_down=m.limit_down[t],
            before=m.mark[t - 1] / m.ratio[t], held=held, cash=position.get_cash(), nav=nav,
            lambda1=c.lambda1[t], lambda2=c.lambda2[t], buy_fee=float(c.buy_fee[t]),
            sell_fee=float(c.sell_fee[t]), lots=m.lots,
        )  # fmt: skip
        plan.desk.log.clear()
        fills = plan.desk(orders, session)
        if not plan.desk.log:
            return TradeDecisionWO([], self)
        names = {int(a): k for k, a in enumerate(plan.column)}
        return TradeDecisionWO(list(self._children(fills.asset, names, factor, start, end)), self)

    def _children(
        self, asset: np.ndarray, names: dict[int, int], factor: Vector, start: Any, end: Any
    ) -> Iterator[Child]:
        made = self.plan.desk.log[-1][2]
        for j in np.lexsort((made.shares > 0, made.slot)):
            if made.shares[j] == 0:
                continue
            k = names[int(asset[made.order[j]])]
            child = Child(
                stock_id=self.plan.names[k],
                amount=abs(made.shares[j]) / factor[k],
                direction=OrderDir.BUY if made.shares[j] > 0 else OrderDir.SELL,
                start_time=start,
                end_time=end,
            )
            child.price = float(made.price[j] * factor[k])
            child.cost = float(made.spread[j] + made.impact[j])
            child.fee = float(made.fee[j])
            yield child

    def _factors(self, t: int) -> Vector:
        """Factor of each name on session `t`, the last one known where it has no bar."""
        if not hasattr(self, "_known"):
            quote: DenseQuote = self.trade_exchange.quote
            known = pd.DataFrame(quote.data["$factor"], index=list(quote.row)).ffill()
            known = known[[quote.column[name] for name in self.plan.names]]
            days = pd.DatetimeIndex(self.plan.market.dates[: self.plan.last + 1])
            self._known = known.reindex(days, method="ffill").fillna(1.0).to_numpy()
        return self._known[t]


class InTurnExecutor(SimulatorExecutor):
    """Deals children one after the other, as they come; the desk has seen to cash."""

    def _collect_data(
        self, trade_decision: BaseTradeDecision, level: int = 0
    ) -> tuple[list[object], dict]:
        done = []
        for order in trade_decision.get_decision():
            dealt = self.trade_exchange.deal_order(order, trade_account=self.trade_account)
            done.append((order, *dealt))
        return done, {"trade_info": done}


class ReplayRun:
    """One replay, session by session."""

    def __init__(self, plan: Plan) -> None:
        dates = plan.market.dates
        self.start, self.end = pd.Timestamp(dates[plan.first + 1]), pd.Timestamp(dates[plan.last])
        self.plan = plan
        # one bar earlier (the first day would not trade), and back to the last known close
        scheduled = plan.desk is not None
        self.exchange = (ScheduledExchange if scheduled else CostedExchange)(
            plan,
            freq="day",
            start_time=pd.Timestamp(dates[0]),
            end_time=self.end,
            codes=plan.names,
            deal_price="$open",
            limit_threshold=LIMITS,
            quote_cls=DenseQuote,
        )
        missing = [name for name in plan.names if name not in self.exchange.quote.column]
        if missing:
            raise DataError(
                f"{missing[0]} has targets but is not in the Qlib dataset; write the dataset "
                "from the bars of the backtest."
            )
        quiet = {"benchmark": pd.Series(0.0, index=pd.DatetimeIndex(dates))}
        self.account = LeanAccount(init_cash=plan.capital, benchmark_config=quiet)
        infra = CommonInfrastructure(trade_account=self.account, trade_exchange=self.exchange)
        self.strategy = (ScheduledOrdersStrategy if scheduled else TargetReplay)(plan)
        self.strategy.reset_common_infra(infra)
        deals = InTurnExecutor if scheduled else PooledExecutor
        self.executor = deals("day", generate_portfolio_metrics=True, common_infra=infra)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Values of table `nav` after each session."""
        self.executor.reset(start_time=self.start, end_time=self.end)
        self.strategy.reset(level_infra=self.executor.get_level_infra())
        done = None
        while not self.executor.finished():
            done = self.executor.execute(self.strategy.generate_trade_decision(done))
            position = self.account.current_position
            yield {
                "nav": position.calculate_value(),
                "cash": position.get_cash(),
                "cost": self.exchange.cost,
                "fee": self.exchange.fee,
                "turnover": self.exchange.traded / self.exchange.nav,
                "n_held": len(position.get_stock_list()),
            }
