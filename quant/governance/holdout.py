"""The ledger of the hold-out: who declared a stretch untouched, and who looked at it since.

A hold-out proves something only as long as nobody chose by it. Every look is one line, written
before the data are opened: a run that crashes has looked too.
"""

from dataclasses import dataclass

from quant.core.types import Frame

ROWS = ("utc", "user", "name", "config_hash", "kind")


@dataclass(frozen=True)
class Status:
    """What is known of one hold-out of a market.

    start, end : first and last date, ISO; start None = no hold-out was ever declared on the market,
                 end None = to the end of the data
    locked     : this run does not see it
    reads      : looks at it so far, this run's included
    configs    : distinct configurations that looked
    rows       : one row a look, oldest first: utc, user, name (of the run), config_hash,
                 kind "read" (it said so) or "undeclared" (its data reach in, and it did not)
    before     : trials evaluated on the market before the hold-out was declared; they may have
                 seen it
    """

    start: str | None
    end: str | None
    locked: bool
    reads: int
    configs: int
    rows: Frame
    before: int = 0
