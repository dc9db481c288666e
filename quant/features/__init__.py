"""Features and labels, computed panel-wise from what was known at each close."""

from quant.features.compute import compute
from quant.features.labels import labels
from quant.features.producers import PRODUCERS, Producer
from quant.features.view import FIELDS

__all__ = ["FIELDS", "PRODUCERS", "Producer", "compute", "labels"]
