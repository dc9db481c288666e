"""Rules for which nothing is fitted: the simplest rivals, through the same pipeline."""

import json
from dataclasses import dataclass
from typing import ClassVar

from quant.core.errors import ConfigError
from quant.core.types import Codes, Matrix, Vector
from quant.model2.design import Design32
from quant.model2.models import check_rows


@dataclass(frozen=True)
class Rule:
    """The day's rank of one feature, times `sign`."""

    feature: str
    sign: float
    random: ClassVar[bool] = False

    def bind(self, x: Design32, y: Matrix, block: Codes, names: tuple[str, ...]) -> "RuleFitter":
        """Find the feature. Raises ConfigError where it is absent."""
        if self.feature not in names:
            raise ConfigError(
                f"a rule of model2.models needs the feature {self.feature}, which is not among the "
                f"{len(names)} computed ones; take the rule out, or compute features that have it."
            )
        return RuleFitter(RuleModel(names.index(self.feature), self.sign))


# Jegadeesh and Titman (1993), the last month skipped; Lehmann (1990), over a week
MOMENTUM = Rule("mom_12_1", 1.0)
REVERSAL = Rule("ret_5d", -1.0)


@dataclass(frozen=True)
class RuleFitter:
    """The rule, the same for every subset."""

    model: "RuleModel"

    def fit(self, label: int, blocks: Codes, seed: int) -> "RuleModel":
        """Nothing is fitted; that there are rows is asked as of any model."""
        check_rows("a rule", blocks.size)
        return self.model


@dataclass(frozen=True)
class RuleModel:
    """column : of the feature; sign : +1 or -1."""

    column: int
    sign: float
    suffix: ClassVar[str] = ".rule.json"

    def predict(self, x: Design32) -> Vector:
        """Sign times rank."""
        return self.sign * x[:, self.column].astype("float64")

    def to_bytes(self) -> bytes:
        """JSON."""
        return json.dumps({"column": self.column, "sign": self.sign}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "RuleModel":
        """Read what `to_bytes` wrote."""
        said = json.loads(data)
        return cls(int(said["column"]), float(said["sign"]))
