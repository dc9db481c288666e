"""Gaussian hidden Markov models: published numbers, hmmlearn, paths counted out, and their laws."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hmmlearn.hmm import GaussianHMM

from quant.core.errors import DataError
from quant.core.seeds import generator
from quant.model1 import hmm
from quant.model1.hmm import Hmm, filtered, fit, walk
from tests.shared import need

THREE = Hmm(
    np.array([0.5, 0.3, 0.2]),
    np.array([[0.95, 0.04, 0.01], [0.05, 0.9, 0.05], [0.02, 0.08, 0.9]]),
    np.array([0.5, 0.0, -1.0]),
    np.array([0.3, 0.8, 4.0]),
)


def drawn(n: int, seed: int = 42, model: Hmm = THREE) -> tuple[np.ndarray, np.ndarray]:
    """A path of states and what is seen of it."""
    rng = generator(seed, "hmm", "test")
    state = np.empty(n, dtype=int)
    state[0] = rng.choice(3, p=model.start)
    for t in range(1, n):
        state[t] = rng.choice(3, p=model.transition[state[t - 1]])
    return state, model.mean[state] + np.sqrt(model.variance[state]) * rng.normal(size=n)


def test_the_published_filter():
    case = json.loads(need("cases/05_hmm_filter_vs_smoother.json").read_text())
    given, expected = case["inputs"], case["expected"]
    model = Hmm(
        *(np.array(given[name]) for name in ("startprob", "transmat", "means")),
        np.array(given["sds"]) ** 2,
    )
    made, loglik = filtered(np.array(given["y"]), model)
    np.testing.assert_allclose(made, expected["filtered"], atol=1e-12)
    assert loglik == pytest.approx(expected["loglik"], abs=1e-10)
    # the smoother has seen the end
    assert np.abs(made - np.array(expected["smoothed"])).max() > 0.1


def test_the_published_fit_of_three_sequences():
    case = json.loads(need("cases/05_hmm_speed_depmix.json").read_text())
    y = pd.read_csv(need("cases/05_hmm_speed_rt.csv"))["rt"].to_numpy()
    fresh = np.zeros(y.size, dtype=bool)
    fresh[np.cumsum([0, *case["inputs"]["lengths"][:-1]])] = True
    begun = Hmm(np.full(2, 0.5), np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([6.3, 5.5]),
                np.array([0.1, 0.1]))  # fmt: skip
    made, loglik, _ = fit(y, begun, fresh=fresh)
    expected = case["expected"]
    assert loglik == pytest.approx(expected["loglik"], abs=1e-3)
    np.testing.assert_allclose(made.mean, expected["means"], atol=2e-3)
    np.testing.assert_allclose(np.sqrt(made.variance), expected["sds"], atol=2e-3)
    hmmlearn = expected["hmmlearn_priors_off"]
    np.testing.assert_allclose(made.transition, hmmlearn["transmat"], atol=1e-4)
    whole = fit(y, begun)[1]
    assert abs(whole - expected["loglik"]) > 0.05  # where sequences begin is no detail


@pytest.mark.parametrize("steps", [1, 7, 30])
def test_so_many_steps_of_hmmlearn_are_so_many_of_ours(steps):
    _, y = drawn(600)
    start = Hmm(np.full(3, 1 / 3), np.full((3, 3), 0.05) + 0.85 * np.eye(3),
                np.array([-1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0]))  # fmt: skip
    theirs = GaussianHMM(
        3, "diag", n_iter=steps, tol=-np.inf, init_params="", params="stmc", covars_prior=0.0,
        covars_weight=0.0, min_covar=0.0, startprob_prior=1.0, transmat_prior=1.0, means_weight=0.0,
        implementation="scaling",
    )  # fmt: skip
    theirs.startprob_, theirs.transmat_ = start.start, start.transition
    theirs.means_, theirs.covars_ = start.mean[:, None], start.variance[:, None]
    theirs.fit(y[:, None])
    ours, loglik, taken = fit(y, start, steps=steps, tolerance=-np.inf)
    assert taken == steps
    np.testing.assert_allclose(ours.mean, theirs.means_[:, 0], atol=1e-8)
    np.testing.assert_allclose(ours.transition, theirs.transmat_, atol=1e-8)
    np.testing.assert_allclose(ours.variance, theirs.covars_.ravel()[:3], atol=1e-6)
    assert loglik == pytest.approx(theirs.score(y[:, None]), abs=1e-6)


def test_the_likelihood_of_a_long_stream_is_that_of_hmmlearn():
    _, y = drawn(4000)
    y[1000] = 60.0  # one row can weigh as much as a thousand
    theirs = GaussianHMM(3, "diag", implementation="log")
    theirs.startprob_, theirs.transmat_ = THREE.start, THREE.transition
    theirs.means_, theirs.covars_ = THREE.mean[:, None], THREE.variance[:, None]
    assert filtered(y, THREE)[1] == pytest.approx(theirs.score(y[:, None]), abs=1e-8)


@pytest.mark.parametrize("hole", [None, 3])
def test_the_filter_is_the_sum_over_all_paths(hole):
    _, y = drawn(7, 3)
    if hole is not None:
        y[hole] = np.nan
    density = np.exp(-0.5 * (y[:, None] - THREE.mean) ** 2 / THREE.variance)
    density /= np.sqrt(2 * np.pi * THREE.variance)
    density[np.isnan(y)] = 1.0
    total = np.zeros(3)
    for path in itertools.product(range(3), repeat=7):
        p = THREE.start[path[0]] * density[0, path[0]]
        for t in range(1, 7):
            p *= THREE.transition[path[t - 1], path[t]] * density[t, path[t]]
        total[path[-1]] += p
    made, loglik = filtered(y, THREE)
    np.testing.assert_allclose(made[-1], total / total.sum(), rtol=1e-12)
    assert loglik == pytest.approx(np.log(total.sum()), abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_no_step_lowers_the_likelihood(seed):
    _, y = drawn(200, seed)
    y[generator(seed, "holes").random(200) < 0.1] = np.nan
    rng = generator(seed, "starts")
    means, variances, stay = hmm.starts("mean", 3, 1, rng)
    off = (1 - stay[1])[:, None] / 2
    start = Hmm(np.full(3, 1 / 3), np.where(np.eye(3), stay[1][:, None], off), means[1],
                variances[1])  # fmt: skip
    found = [fit(y, start, steps=n, tolerance=-np.inf)[1] for n in range(25)]
    assert (np.diff(found) > -1e-9).all()


def test_an_observation_far_out_breaks_nothing():
    _, y = drawn(50)
    y[20] = 1e6
    made, loglik = filtered(y, THREE)
    assert np.isfinite(made).all() and np.isfinite(loglik)
    np.testing.assert_allclose(made.sum(axis=1), 1.0)


FAULTS = {
    "infinite": lambda y: np.r_[y, np.inf, y],
    "beyond any scale": lambda y: np.r_[y, 1e160, y],
    # states so far apart that a density at the other underflows
    "levels": lambda y: np.repeat([0.0, 10.0, 20.0, 5.0], y.size) + 0.01 * np.tile(y, 4),
    "there and back": lambda y: np.repeat([0.0, 1.0, 0.0, 1.0], y.size) + 1e-6 * np.tile(y, 4),
    "rests, then moves": lambda y: np.r_[1e-9 * y, y],
}


@pytest.mark.parametrize("order", hmm.ORDERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_stream_breaks_a_walk(fault, order):
    y = FAULTS[fault](drawn(300)[1])
    made = walked(y[:, None], order)
    assert np.isfinite(made.loglik[20:60]).all()
    p = made.probabilities[100:300]
    assert np.isfinite(p).all() and np.abs(p.sum(axis=2) - 1).max() < 1e-9
    # a model or none, never half of one
    same = np.isfinite(made.loglik)
    for part in (made.start, made.mean, made.variance, made.transition[..., 0]):
        np.testing.assert_array_equal(np.isfinite(part).all(axis=2), same)


def test_what_is_infinite_was_not_seen():
    _, y = drawn(400)
    hole, broken = y.copy(), y.copy()
    hole[[150, 301]], broken[[150, 301]] = np.nan, [np.inf, -np.inf]
    np.testing.assert_array_equal(filtered(hole, THREE)[0], filtered(broken, THREE)[0])
    assert fit(hole, THREE)[1] == fit(broken, THREE)[1]
    np.testing.assert_array_equal(*(walked(x[:, None]).probabilities for x in (hole, broken)))


def test_a_chain_that_only_goes_forth_outlives_what_it_calls_impossible():
    chain = Hmm(np.array([1.0, 0, 0]), np.array([[0.9, 0.1, 0], [0, 0.9, 0.1], [0, 0, 1.0]]),
                np.array([-100.0, 0, 100]), np.ones(3))  # fmt: skip
    made, loglik = filtered(np.array([-100.0, 100, 0]), chain)
    np.testing.assert_allclose(made, np.eye(3)[[0, 2, 1]], atol=1e-12)
    assert np.isfinite(loglik)
    assert np.isfinite(fit(np.tile([-100.0, 100, 0], 50), chain)[1])


@pytest.mark.parametrize("y", [np.full(300, 0.01), np.full(300, np.nan), np.empty(0)])
def test_what_never_moves_or_was_never_seen_has_no_model(y):
    made, loglik, taken = fit(y, THREE)
    assert np.isnan(made.mean).all() and np.isnan(made.transition).all()
    assert np.isnan(loglik) and taken == 0
    assert np.isnan(filtered(np.ones(5), made)[0]).all()


def test_a_move_that_had_gone_to_nothing_comes_back():
    # a level is left for good, then taken again: the model before had no way back to it
    y = np.repeat([0.0, 3.0, 0.0, 3.0, 0.0], 120) + 0.3 * drawn(600, 5)[1]
    dead = Hmm(np.array([1.0, 0, 0]), np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]),
               np.array([-0.1, 0.2, 3.0]), np.array([0.1, 0.2, 0.3]))  # fmt: skip
    made, loglik, _ = fit(y, dead)
    assert np.diag(made.transition)[2] == pytest.approx(1 - 2 / 239, abs=5e-3)
    alive = Hmm(dead.start, 0.9 * dead.transition + 0.1 / 3, dead.mean, dead.variance)
    assert loglik == pytest.approx(fit(y, alive)[1], abs=0.5)


def walked(y: np.ndarray, order: str = "variance", **more) -> hmm.Walked:
    refits = np.arange(0, len(y), 5)
    names = np.array([f"n{i}" for i in range(y.shape[1])])
    given = {"order": order, "names": names, "seed": 42, "min_obs": 100} | more
    return walk(y, refits, **given)


def stream(n: int = 700, series: int = 3) -> np.ndarray:
    return np.stack([drawn(n, s)[1] for s in range(series)], axis=1)


def test_probabilities_are_the_filter_with_the_model_of_the_last_refit():
    y = stream(400)
    made = walked(y)
    for r, s in ((40, 0), (79, 2)):
        row = int(made.refits[r])
        model = Hmm(made.start[r, s], made.transition[r, s], made.mean[r, s], made.variance[r, s])
        p, _ = filtered(y[: row + 5, s], model)
        np.testing.assert_allclose(made.probabilities[row : row + 5, s], p[row:], atol=1e-9)
        _, loglik = filtered(y[: row + 1, s], model)
        assert made.loglik[r, s] == pytest.approx(loglik, abs=1e-6)


@pytest.mark.parametrize("cut", [153, 300, 402])
def test_the_future_changes_nothing(cut):
    y = stream(500)
    other = y.copy()
    other[cut + 1 :] = 1e3 * generator(1, "garbage").normal(size=other[cut + 1 :].shape)
    whole, garbled, short = (walked(x).probabilities[: cut + 1] for x in (y, other, y[: cut + 1]))
    np.testing.assert_array_equal(whole, garbled)
    np.testing.assert_array_equal(whole, short)


def test_a_series_does_not_depend_on_its_neighbours():
    y = stream(300)
    alone = walk(y[:, [1]], np.arange(0, 300, 5), order="variance", names=np.array(["n1"]),
                 seed=42, min_obs=100)  # fmt: skip
    np.testing.assert_array_equal(alone.probabilities[:, 0], walked(y).probabilities[:, 1])


@pytest.mark.parametrize("order", hmm.ORDERS)
def test_states_are_ranked_and_keep_their_names(order):
    y = stream(1000)
    made = walked(y, order)
    rank = made.mean if order == "mean" else made.variance
    fitted = np.isfinite(made.loglik)
    assert (np.diff(rank, axis=2)[fitted] >= 0).all()
    np.testing.assert_allclose(np.nansum(made.probabilities[105:], axis=2), 1.0)
    # an hour before and after a refit the same day is called the same
    changed = []
    for r in np.flatnonzero(fitted[:, 0])[60:]:
        row = int(made.refits[r])
        old, new = (
            Hmm(made.start[i, 0], made.transition[i, 0], made.mean[i, 0], made.variance[i, 0])
            for i in (r - 1, r)
        )
        p = [filtered(y[: row + 1, 0], m)[0][-1].argmax() for m in (old, new)]
        changed.append(p[0] != p[1])
    assert np.mean(changed) < 0.1


def test_what_was_planted_is_found():
    state, y = drawn(3000)
    made = walked(y[:, None], "variance")
    late = slice(1500, None)
    rank = np.argsort(np.argsort(THREE.variance))[state]
    assert (made.probabilities[late, 0].argmax(axis=1) == rank[late]).mean() > 0.75
    np.testing.assert_allclose(made.variance[-1, 0], np.sort(THREE.variance), rtol=0.3)


def test_what_has_no_model_says_so():
    y = stream(300)
    y[:, 0] = 0.01  # a price that rises by the same every day
    y[:250, 1] = np.nan  # too short for a model
    made = walked(y)
    assert np.isnan(made.probabilities[:, :2]).all() and np.isnan(made.loglik[:, :2]).all()
    assert np.isfinite(made.probabilities[110:, 2]).all()


def test_holes_are_filtered_over():
    y = stream(400)
    y[200:230] = np.nan
    made = walked(y)
    assert np.isfinite(made.probabilities[105:]).all()
    # without news the filter goes to where the chain rests
    assert np.abs(np.diff(made.probabilities[226:229, 0], axis=0)).max() < 0.05


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="must sum to 1"):
        Hmm(THREE.start, THREE.transition * 0.9, THREE.mean, THREE.variance)
    with pytest.raises(DataError, match="choose one of mean, variance"):
        walked(stream(200), "median")
    with pytest.raises(DataError, match="give one a column"):
        walked(stream(200), names=np.array(["one"]))
