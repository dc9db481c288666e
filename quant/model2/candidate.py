"""One candidate's cross-validation on the sample on which candidates are compared."""

from collections.abc import Iterator

from quant.evaluation import signal
from quant.model2 import scores
from quant.model2.criterion import Tested, order
from quant.model2.crossval import CpcvSpec, Sample, periods, predictions, stride
from quant.model2.train import TrainSpec

__all__ = ["Sample", "periods", "splits_of", "stride"]


def splits_of(sample: Sample, train: TrainSpec, spec: CpcvSpec, seed: int) -> Iterator[Tested]:
    """The ensemble of `train`, fitted and tested on one split after another (criterion.order)."""
    for made in predictions(sample, train, order(spec.groups, spec.test_groups), seed):
        score, _ = scores.ensemble(list(made.values), made.values.values(), made.starts)
        yield Tested(
            made.split,
            sample.parts[made.split].test,
            signal.ic(made.day, score, made.raw)["rank_ic"].to_numpy(),
            signal.quantile_returns(made.day, score, made.raw, spec.quantiles)["spread"].to_numpy(),
        )
