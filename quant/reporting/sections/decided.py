"""One session explained: the objective term by term, and the trades with their reasons."""

from quant.optimizer import binding
from quant.optimizer.breakdown import RISK_PREMIUM, Trade
from quant.optimizer.explain import Explanation
from quant.optimizer.problem import Problem
from quant.reporting.blocks import Block, Cell, Tabular, Text, cells
from quant.reporting.formats import number, percent

# why one buys, and why one sells
MOTIVE = {
    RISK_PREMIUM: (
        "its premium exceeds its charge for risk",
        "its risk is dearer than its premium",
    ),
    "alpha": ("high alpha", "low alpha"),
    "expected return": ("high expected return", "low expected return"),
    "risk": ("lowers the risk", "lowers the risk"),
    "volatility limit": ("lowers volatility, which is capped",) * 2,
    "group limit": ("brings its group to the limit",) * 2,
    "cash limit": ("brings cash to the limit",) * 2,
    "gross limit": ("brings gross exposure to the limit",) * 2,
}
FORCED = {
    binding.ABSENT: "has left the universe",
    binding.BOUND: "is above its largest weight",
    binding.LEAST: "is below its least weight",
}
STOP = {
    binding.ABSENT: "may not be held",
    binding.BOUND: "largest weight",
    binding.LEAST: "least weight",
    binding.TRADE_CAP: "trade cap",
    binding.LOCKED: "locked",
    binding.FORCED: "group or cash",
}


def objective(told: Explanation, horizon: int) -> Block:
    """The objective, term by term."""
    last = len(told.parts) - 1
    rows = tuple(
        cells((part.term.capitalize(), number(part.held, 2), number(part.chosen, 2),
               number(part.chosen - part.held, 2, signed=True)), "strong" * (i == last))
        for i, part in enumerate(told.parts)
    )  # fmt: skip
    return Tabular(
        f"Terms of the objective, bp of NAV over {horizon} sessions",
        ("Term", "Without a trade", "As decided", "Change"),
        rows,
        "Premium, where risk is measured from cash: what the risk of the equal-weight universe "
        "asks for. Risk charge: half the risk aversion times the variance. The book without a "
        "trade may break limits that bind.",
    )


def trades(problem: Problem, told: Explanation) -> Block:
    """The largest trades, each with its reason and with what stopped it."""
    if not told.trades:
        return Text("Nothing is traded.")
    used = [
        name
        for name in told.trades[0].terms
        if any(abs(t.terms[name]) >= 0.005 for t in told.trades)
    ]
    rows = tuple(
        cells((str(problem.names[t.position]), Cell(_reason(t), "long"),
               percent(t.held, 2), percent(t.held + t.trade, 2),
               *(number(t.terms[name], 2, signed=True) for name in used),
               STOP.get(t.limit, "cost and risk")))
        for t in told.trades
    )  # fmt: skip
    return Tabular(
        f"The {len(rows)} largest trades, and what speaks for one more percentage point, bp of NAV",
        ("Name", "Mainly because", "From", "To", *(name.capitalize() for name in used),
         "Stopped by"),
        rows,
        "Each term is the change per percentage point in the direction of the trade, at the "
        "weights decided; positive speaks for more. They sum to zero where the trade stopped by "
        "itself, and to what its own limit withholds, or forces, where that stopped it.",
        texts=2,
    )  # fmt: skip


def _reason(trade: Trade) -> str:
    verb = "buy" if trade.trade > 0 else "sell"
    if trade.forced:
        return f"{verb}: {FORCED.get(trade.limit, 'its weight is outside its bounds')}"
    return f"{verb}: {MOTIVE.get(trade.motive, (trade.motive,) * 2)[trade.trade < 0]}"
