"""Features and labels, computed panel-wise from what was known at each close."""

from quant.features.labels import labels
from quant.features.library import cached, compute
from quant.features.producer import Producer
from quant.features.producers import PRODUCERS
from quant.features.view import FIELDS

__all__ = ["FIELDS", "PRODUCERS", "Producer", "cached", "compute", "labels"]
