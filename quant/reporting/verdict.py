"""The answer in words: did it beat its benchmark after costs, and is that more than chance?"""

import math

from quant.reporting.blocks import Answer
from quant.reporting.compared import INCONCLUSIVE, Compared, power
from quant.reporting.formats import missing, number, percent, points
from quant.reporting.lookup import BENCHMARK, Metrics

CONFIDENT = 0.95
TONES = {"BETTER": "good", "WORSE": "bad", INCONCLUSIVE: "fair"}


def verdict(
    metrics: Metrics, benchmark: str, years: float, compared: Compared | None = None
) -> Answer:
    """Judge the book `portfolio` against the book `benchmark`.

    compared  : their Sharpe ratios, tested; it has the last word where there is one
    benchmark : name of the benchmark as it is printed
    years     : length of the window; turns an information ratio into a t value where the
                table has no interval of the active return
    """
    mine, theirs = metrics("ann_return"), metrics("ann_return", BENCHMARK)
    active = metrics("active_return")
    if missing(active) and not missing(mine) and not missing(theirs):
        active = mine - theirs
    if missing(active):
        return Answer(
            "No comparison can be made",
            ("The metrics table has no annual return of both the portfolio and its benchmark.",),
            "none",
        )
    sharper = metrics("sharpe") - metrics("sharpe", BENCHMARK)
    certain, how = _certainty(metrics, active, years)
    tested = compared if compared and not compared.same else None
    sentences = (
        _returns(mine, theirs, active, benchmark),
        _risk(metrics, benchmark, tested),
        how if tested is None or certain is not (tested.verdict != INCONCLUSIVE) else "",
        _deflated(metrics),
    )
    said = tuple(s for s in sentences if s)
    if tested:
        return Answer(_tested(active, sharper, tested), said, TONES[tested.verdict])
    return Answer(_headline(active, sharper, certain), said, _tone(active, certain))


def _tested(active: float, sharper: float, compared: Compared) -> str:
    if compared.verdict == INCONCLUSIVE:
        what = _what(active, sharper)
        return (
            f"{INCONCLUSIVE}: {what[:1].lower()}{what[1:]}; the difference in Sharpe ratio could "
            "be chance"
        )
    earned = "more" if active > 0 else "less"
    joint = "and" if (active > 0) == (compared.difference > 0) else "though"
    return (
        f"{compared.verdict} than its benchmark per unit of risk, by more than chance explains, "
        f"{joint} it earned {earned}"
    )


def _headline(active: float, sharper: float, certain: bool | None) -> str:
    what = _what(active, sharper)
    if certain is None:
        return f"{what}; no test says whether that is chance"
    return f"{what}; the difference is {'more than' if certain else 'within what'} chance explains"


def _what(active: float, sharper: float) -> str:
    if active > 0:
        what = "Beat its benchmark after costs"
        if sharper < 0:
            what = "Earned more than its benchmark after costs, but less per unit of risk"
    else:
        what = "Did not beat its benchmark after costs"
        if sharper > 0:
            what = "Earned less than its benchmark after costs, but more per unit of risk"
    return what


def _tone(active: float, certain: bool | None) -> str:
    if active <= 0:
        return "bad" if certain else "fair"
    return "good" if certain else "fair"


def _returns(mine: float, theirs: float, active: float, benchmark: str) -> str:
    if missing(mine) or missing(theirs):
        return f"Active return after costs: {points(active)} a year against {benchmark}."
    return (
        f"After costs it returned {percent(mine)} a year; {benchmark}, which pays the same costs, "
        f"returned {percent(theirs)}: {points(active)} a year."
    )


def _risk(metrics: Metrics, benchmark: str, tested: Compared | None) -> str:
    mine, theirs = metrics("sharpe"), metrics("sharpe", BENCHMARK)
    if missing(mine) or missing(theirs):
        return ""
    vol, other = metrics("ann_vol"), metrics("ann_vol", BENCHMARK)
    return (
        f"Per unit of risk: Sharpe ratio {number(mine)} against {number(theirs)}, "
        f"at a volatility of {percent(vol)} against {percent(other)}."
        + (f" {_test(tested)}" if tested else "")
    )


def _test(found: Compared) -> str:
    return (
        f"The difference has a 95% interval of {found.interval} (p {number(found.p_value)}). "
        f"{power(found)}"
    ).strip()


def _certainty(metrics: Metrics, active: float, years: float) -> tuple[bool | None, str]:
    low, high = metrics("active_return_lo"), metrics("active_return_hi")
    if not missing(low) and not missing(high):
        certain = low > 0 or high < 0
        word = "excludes" if certain else "contains"
        return certain, (
            f"The 95% interval of the active return, {points(low)} to {points(high)}, {word} zero."
        )
    ratio = metrics("information_ratio")
    if missing(ratio) or years <= 0:
        return None, ""
    t = ratio * math.sqrt(years)
    certain = abs(t) >= 1.96
    return certain, (
        f"Information ratio {number(ratio)} over {number(years, 1)} years is a t value of about "
        f"{number(t)}: {'' if certain else 'not '}distinguishable from zero at 95%."
    )


def ideas(metrics: Metrics) -> str:
    """How many ideas were tried, of how many configurations where that is known."""
    n, configs = metrics("n_trials"), metrics("n_configs")
    said = f"{number(n, 0)} idea{'s' * (n != 1)}"
    if missing(configs) or configs == n:
        return said
    return f"{said} of {number(configs, 0)} configurations"


def _deflated(metrics: Metrics) -> str:
    psr, dsr, trials = metrics("psr"), metrics("dsr"), metrics("n_trials")
    parts = []
    if not missing(psr):
        parts.append(
            f"The probability that the true Sharpe ratio is positive (PSR) is {number(psr)}"
        )
    if not missing(dsr):
        lucky = "passes" if dsr >= CONFIDENT else "does not pass"
        tried = "" if missing(trials) else f" for {ideas(metrics)}"
        parts.append(f"deflated{tried} (DSR) it is {number(dsr)}, which {lucky} 0.95")
    if not parts:
        return ""
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."
