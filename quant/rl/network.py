"""The trained policy without torch: an LSTM over the 40 sessions and a linear head, in numpy.

The same numbers come out as of the network it was trained in (to float32); a report or a backtest
needs no more than this.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from quant.core.errors import DataError
from quant.core.types import Frame, Matrix, Vector
from quant.optimizer.knobs import NAMES as KNOBS
from quant.rl import norm
from quant.rl.observation import HISTORY, NAMES

HIDDEN = 64
SHAPES: dict[str, tuple[int, ...]] = {
    "mean": (len(NAMES),),
    "spread": (len(NAMES),),
    "input": (4 * HIDDEN, len(NAMES)),
    "hidden": (4 * HIDDEN, HIDDEN),
    "bias": (4 * HIDDEN,),
    "head": (len(KNOBS), HIDDEN),
    "head_bias": (len(KNOBS),),
}


@dataclass(frozen=True)
class Policy:
    """Weights by the names of SHAPES, and what they were trained for.

    region       : whose market it was trained on
    observations : the names it observes, in order
    seed, step   : of the training
    """

    weights: dict[str, np.ndarray]
    region: str
    observations: tuple[str, ...]
    seed: int
    step: int

    def __post_init__(self) -> None:
        if self.observations != NAMES:
            other = sorted(set(self.observations) ^ set(NAMES))
            raise DataError(
                f"the policy was trained on other observations (its {len(self.observations)}, "
                f"here {len(NAMES)}; different: {', '.join(other[:4]) or 'their order'}); "
                "train it again with this version."
            )
        for name, shape in SHAPES.items():
            value = self.weights.get(name)
            if value is None or value.shape != shape or not np.isfinite(value).all():
                found = "missing" if value is None else f"{value.shape}"
                raise DataError(
                    f"the policy's weights {name!r} are {found} and must be {shape} finite "
                    "numbers; the file is damaged, or of another version: train it again."
                )

    def check(self, region: str) -> None:
        """Raise DataError where the policy is of another market."""
        if self.region != region:
            raise DataError(
                f"the policy was trained on region={self.region} and this run is of "
                f"region={region}; train one there, or leave rl.policy out."
            )

    def __call__(self, seen: Matrix) -> Vector:
        """(6,) unbounded numbers of a (40, 33) observation, see quant.rl.action."""
        if seen.shape != (HISTORY, len(NAMES)) or not np.isfinite(seen).all():
            raise DataError(
                f"an observation of {seen.shape} with {int((~np.isfinite(seen)).sum())} numbers "
                f"that are none; the controller needs ({HISTORY}, {len(NAMES)}) finite ones."
            )
        w = self._float64
        rows = norm.scaled(seen, w["mean"], w["spread"]).astype(np.float64) @ w["input"].T
        h, c = np.zeros(HIDDEN), np.zeros(HIDDEN)
        for row in rows + w["bias"]:
            i, f, g, o = np.split(row + w["hidden"] @ h, 4)
            c = expit(f) * c + expit(i) * np.tanh(g)
            h = expit(o) * np.tanh(c)
        return w["head"] @ h + w["head_bias"]

    @cached_property
    def _float64(self) -> dict[str, np.ndarray]:
        return {name: value.astype(np.float64) for name, value in self.weights.items()}

    def rows(self, known: pd.Timestamp) -> Frame:
        """Rows of table `policy`; known: session up to which it saw anything."""
        parts = [
            pd.DataFrame({"part": name, "index": np.arange(v.size), "value": v.ravel()})
            for name, v in self.weights.items()
        ]
        frame = pd.concat(parts, ignore_index=True)
        return frame.assign(seed=self.seed, known=known)

    @classmethod
    def of(cls, table: Frame, info: Frame, seed: int) -> "Policy":
        """The policy of `seed` from tables `policy` and `policy_info`."""
        mine = table[table["seed"] == seed]
        weights = {
            name: mine.loc[mine["part"] == name].sort_values("index")["value"].to_numpy()
            for name in SHAPES
        }
        row = info[info["seed"] == seed].iloc[0]
        shaped = {
            n: v.reshape(SHAPES[n]) if v.size == np.prod(SHAPES[n]) else v
            for n, v in weights.items()
        }
        names = tuple(row["observations"].split(","))
        return cls(shaped, row["region"], names, seed, int(row["step"]))

    def save(self, path: Path) -> None:
        """Write the policy to one file, for rl.policy=<file>."""
        about = {
            "region": self.region, "observations": list(self.observations), "seed": self.seed,
            "step": self.step,
        }  # fmt: skip
        with path.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **self.weights)

    @classmethod
    def load(cls, path: Path) -> "Policy":
        """The policy that `save` wrote. Raises DataError for a file that is none."""
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                weights = {name: file[name] for name in file.files if name != "about"}
                names = tuple(about["observations"])
                return cls(weights, about["region"], names, int(about["seed"]), int(about["step"]))
        except (OSError, KeyError, ValueError, EOFError) as error:
            raise DataError(
                f"rl.policy={path} is no policy ({error}); give the policy.npz that a run with "
                "rl.enabled=true left under data/rl_train/<region>/controller."
            ) from error
