"""The entrance: one market from one spec and one seed."""

from quant.core.seeds import generator
from quant.market import frames
from quant.market.record import Record
from quant.market.spec import MarketSpec, SimulatedMarket
from quant.market.step import step
from quant.market.truth import truth
from quant.market.world import WARM_UP, begin


def simulate(spec: MarketSpec, seed: int) -> SimulatedMarket:
    """Simulate one market. The same spec and seed give the same bytes."""
    world = begin(spec, seed)
    record = Record.empty(spec.sessions.size, world.names.size)
    for day in range(-WARM_UP, spec.sessions.size):
        step(world, day, record)
    return SimulatedMarket(
        bars=frames.bars(spec, world.names, record),
        actions=frames.actions(spec, world.names, record),
        industries=frames.industries(spec, world.names, generator(seed, "market", "schemes")),
        listings=frames.listings(spec, world, generator(seed, "market", "listings")),
        index_members=frames.index_members(),
        benchmark=frames.benchmark(spec, world.status, record),
        rates=frames.rates(spec, generator(seed, "market", "rates")),
        notes=frames.notes(spec, seed),
        truth=truth(world, record),
    )
