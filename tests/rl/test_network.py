"""The policy without torch: the same numbers, and no policy that was made for something else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quant.core.errors import DataError
from quant.core.tables import POLICY
from quant.rl.controller import choose_knobs
from quant.rl.network import SHAPES, Policy
from quant.rl.observation import HISTORY, NAMES


def policy(seed: int = 1, region: str = "us") -> Policy:
    rng = np.random.default_rng(seed)
    weights = {n: rng.normal(0, 0.2, s).astype(np.float32) for n, s in SHAPES.items()}
    weights["spread"] = np.abs(weights["spread"]) + 1
    return Policy(weights, region, NAMES, seed, 4096)


def observation(seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(HISTORY, len(NAMES)))


def test_the_table_and_the_file_hold_the_same_policy(tmp_path):
    made, seen = policy(), observation()
    rows = made.rows(pd.Timestamp("2015-12-31")).assign(seed=0)[POLICY.schema.names]
    POLICY.write(rows, tmp_path / "policy.parquet")
    info = pd.DataFrame(
        {"seed": [0], "region": ["us"], "observations": [",".join(NAMES)], "step": [4096]}
    )
    again = Policy.of(POLICY.read(tmp_path / "policy.parquet"), info, 0)
    np.testing.assert_array_equal(again(seen), made(seen))
    made.save(tmp_path / "policy.npz")
    loaded = Policy.load(tmp_path / "policy.npz")
    np.testing.assert_array_equal(loaded(seen), made(seen))
    assert (loaded.region, loaded.step) == ("us", 4096)


def test_choose_knobs_repeats_and_heeds_every_session():
    made, seen = policy(), observation()
    assert choose_knobs(made, seen) == choose_knobs(made, seen.copy())
    for row in (0, HISTORY // 2, HISTORY - 1):
        other = seen.copy()
        other[row] += 1.0
        assert choose_knobs(made, other) != choose_knobs(made, seen)


def test_what_is_no_number_is_refused():
    seen = observation()
    seen[3, 5] = np.nan
    with pytest.raises(DataError, match="1 numbers that are none"):
        choose_knobs(policy(), seen)
    with pytest.raises(DataError, match=r"needs \(40, 33\)"):
        choose_knobs(policy(), observation()[1:])


def test_a_policy_of_other_observations_or_another_region_is_refused():
    with pytest.raises(DataError, match="other observations"):
        replace(policy(), observations=(*NAMES[:-1], "mood"))
    with pytest.raises(DataError, match="their order"):
        replace(policy(), observations=NAMES[::-1])
    with pytest.raises(DataError, match="region=cn"):
        policy(region="cn").check("us")


def test_a_damaged_policy_is_refused(tmp_path):
    made = policy()
    with pytest.raises(DataError, match="'head' are missing"):
        replace(made, weights={k: v for k, v in made.weights.items() if k != "head"})
    broken = dict(made.weights) | {"bias": np.full(256, np.nan)}
    with pytest.raises(DataError, match="finite"):
        replace(made, weights=broken)
    path = tmp_path / "policy.npz"
    path.write_bytes(b"no policy")
    with pytest.raises(DataError, match="is no policy"):
        Policy.load(path)
    with pytest.raises(DataError, match="is no policy"):
        Policy.load(tmp_path / "absent.npz")
