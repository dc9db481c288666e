"""The forecast of flips: by hand, with a planted answer, with none, and without a future."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from quant.core.errors import ConfigError, DataError
from quant.core.seeds import generator
from quant.model1 import forecaster as f
from quant.model1.fusion import quantise

BEAR, SIDE, BULL = np.eye(3) * 0.7 + 0.1
DAYS, SERIES = 900, 20
REFITS = np.arange(150, DAYS, 63)


def planted(name: str, strength: float, nonlinear: bool = False):
    """Features, flips that the first of them explains, and their true probability."""
    rng = generator(3, "tests", "forecaster", name)
    x = rng.normal(size=(DAYS, SERIES, 4))
    cause = np.abs(x[..., 0]) if nonlinear else x[..., 0]
    truth = expit(-2.0 + strength * cause)
    y = (rng.random(truth.shape) < truth).astype(float)
    y[-f.HORIZON :] = np.nan
    return x, y, truth


def gain(p: np.ndarray, y: np.ndarray, rows: slice) -> tuple[float, float]:
    """How much better than the share of flips the Brier score is, and its standard error by day."""
    base = np.nanmean(y[rows])
    better = np.nanmean((base - y[rows]) ** 2 - (p[rows] - y[rows]) ** 2, axis=1)
    return float(better.mean()), float(better.std() / np.sqrt(better.size))


# --- labels and features


def test_flips_by_hand():
    trend = np.stack([BEAR, BEAR, SIDE, BULL, BEAR, BULL])[:, None]
    np.testing.assert_array_equal(f.flips(trend, 2)[:, 0], [1.0, 1.0, 1.0, 0.0, np.nan, np.nan])
    trend[3] = np.nan
    np.testing.assert_array_equal(
        f.flips(trend, 2)[:, 0], [1.0, np.nan, 1.0, np.nan, np.nan, np.nan]
    )
    assert np.isnan(f.flips(trend)).all()  # six days know nothing of ten sessions later


def test_equal_probabilities_have_no_state_to_flip_from():
    thirds = quantise(np.full((1, 3), 1 / 3))[0].astype(float)
    trend = np.stack([thirds, thirds, BULL, BEAR, BEAR])[:, None]
    np.testing.assert_array_equal(f.flips(trend, 1)[:, 0], [np.nan, np.nan, 1.0, 0.0, np.nan])
    age = described(trend)[:, 0, f.FEATURES.index("log_age")]
    np.testing.assert_allclose(np.expm1(age), [0, 1, 0, 0, 1], atol=1e-14)


def test_features_by_hand():
    trend = np.stack([BULL] * 4 + [[0.5, 0.3, 0.2]] * 3)[:, None]
    vol = np.tile([0.5, 0.3, 0.2], (7, 1, 1))
    above = np.tile([0.6, 0.3, 0.1], (7, 1, 1))
    young = np.linspace(0, 0.6, 7)[:, None]
    x = f.features(trend, vol, above, np.linspace(0, 1, 7), young, 1 - young)
    assert x.shape == (7, 1, len(f.FEATURES))
    of = {name: x[:, 0, i] for i, name in enumerate(f.FEATURES)}
    np.testing.assert_allclose(of["p_bull"], [0.8] * 4 + [0.2] * 3)
    np.testing.assert_allclose(of["p_bear"], [0.1] * 4 + [0.5] * 3)
    np.testing.assert_allclose(of["gap"], [0.7] * 4 + [0.2] * 3)
    np.testing.assert_allclose(of["gap_change"], [0] * 5 + [-0.5] * 2, atol=1e-15)
    np.testing.assert_allclose(np.expm1(of["log_age"]), [0, 1, 2, 3, 0, 1, 2], atol=1e-14)
    np.testing.assert_allclose(of["parent_agrees"], [0.1] * 4 + [0.6] * 3)
    entropy = -(0.5 * np.log(0.5) + 0.3 * np.log(0.3) + 0.2 * np.log(0.2))
    np.testing.assert_allclose(of["entropy"][4:], entropy)
    np.testing.assert_allclose(of["p_crisis"], 0.2)
    np.testing.assert_allclose(of["p_systemic"], np.linspace(0, 1, 7))
    np.testing.assert_allclose(of["young_vol"] + of["young_slope"], 1)


def chain(days: int, series: int) -> np.ndarray:
    """Smoothed probabilities of a trend that changes now and then."""
    rng = generator(8, "tests", "chain")
    state = rng.integers(0, 3, series)
    p, made = np.full((series, 3), 1 / 3), np.empty((days, series, 3))
    for t in range(days):
        state = np.where(rng.random(series) < 1 / 40, rng.integers(0, 3, series), state)
        seen = np.eye(3)[state] + rng.gamma(0.3, size=(series, 3))
        p = p + 0.1 * (seen / seen.sum(axis=1, keepdims=True) - p)
        made[t] = p
    return made


def described(trend: np.ndarray) -> np.ndarray:
    flat = np.full(trend.shape[:2], 0.1)
    return f.features(trend, np.full(trend.shape, 1 / 3), trend, np.full(len(trend), 0.3), flat,
                      flat)  # fmt: skip


def test_features_know_no_future():
    trend = chain(120, 4)
    np.testing.assert_array_equal(described(trend[:70]), described(trend)[:70])


def test_flips_of_a_chain_are_foreseen():
    trend = chain(DAYS, SERIES)
    y = f.flips(trend)
    made = f.walk(described(trend), y, REFITS)
    better, error = gain(made.p_flip, y, slice(REFITS[2], -f.HORIZON))
    # ten days' labels overlap: the standard error by day is too small by about three
    assert better > 4 * 3 * error
    last = made.refits.iloc[-1]
    assert last["brier"] < 0.95 * last["brier_base"]


# --- planted, and not


@pytest.mark.parametrize("model", f.MODELS)
def test_planted_flips_are_found(model):
    x, y, truth = planted("found", 1.5)
    p = f.walk(x, y, REFITS, model=model, seed=1).p_flip
    rows = slice(REFITS[3], -f.HORIZON)
    better, error = gain(p, y, rows)
    ideal = gain(truth, y, rows)[0]
    assert better > 5 * error
    assert better > (0.95 if model == "logistic" else 0.85) * ideal


def test_trees_find_what_a_line_does_not():
    x, y, _ = planted("bent", 2.0, nonlinear=True)
    rows = slice(REFITS[3], -f.HORIZON)
    line, trees = (gain(f.walk(x, y, REFITS, model=m).p_flip, y, rows) for m in f.MODELS)
    assert abs(line[0]) < 3 * line[1]
    assert trees[0] > 5 * trees[1]


@pytest.mark.parametrize("model", f.MODELS)
def test_nothing_is_found_in_noise(model):
    x, y, _ = planted("noise", 0.0)
    made = f.walk(x, y, REFITS, model=model)
    better, error = gain(made.p_flip, y, slice(REFITS[0] + 1, -f.HORIZON))
    assert better < 2 * error
    # and little is made up: within a few percent of the share at worst
    assert better > -0.01 * np.nanvar(y)


@pytest.mark.parametrize("model", f.MODELS)
def test_forecasts_come_true_in_every_tenth(model):
    x, y, _ = planted("tenths", 1.5)
    p = f.walk(x, y, REFITS, model=model).p_flip
    rows = slice(REFITS[3], -f.HORIZON)
    p, y = p[rows].ravel(), y[rows].ravel()
    tenths = np.array_split(np.argsort(p), 10)
    for i in tenths:
        error = np.sqrt((p[i] * (1 - p[i])).sum()) / i.size
        assert abs(p[i].mean() - y[i].mean()) < 3.5 * error
    assert p[tenths[-1]].mean() > 10 * p[tenths[0]].mean()


def test_forecasts_are_set_right_when_the_times_change():
    x, y, truth = planted("change", 1.5)
    # from the middle on half of the flips no longer come
    rng = generator(4, "tests", "change")
    half = DAYS // 2
    y[half:] *= rng.random(y[half:].shape) < 0.5
    rows = slice(-200, -f.HORIZON)
    p = f.walk(x, y, REFITS).p_flip[rows]
    truth = truth[rows] * 0.5
    learned = slice(None, DAYS - 200 - f.HORIZON, f.STRIDE)
    plain = LogisticRegression().fit(x[learned].reshape(-1, 4), y[learned].ravel())
    plain = plain.predict_proba(x[rows].reshape(-1, 4))[:, 1].reshape(truth.shape)
    assert abs(p.mean() - truth.mean()) < 0.8 * abs(plain.mean() - truth.mean())


def test_scale_and_shift_are_those_of_a_logistic_regression():
    rng = generator(5, "tests", "platt")
    odds = rng.normal(-1.5, 1.5, 400_000)
    truth = (rng.random(odds.size) < expit(0.4 + 0.6 * odds)).astype(float)
    shift, scale = f._platt(odds, truth)
    fitted = LogisticRegression(C=np.inf).fit(odds[:, None], truth)
    assert shift == pytest.approx(fitted.intercept_[0], abs=0.02)
    assert scale == pytest.approx(fitted.coef_[0, 0], abs=0.02)
    assert f._platt(odds[:0], truth[:0]) == (0.0, 1.0)
    # saturated and wrong: still an answer, and near to what is true
    shift, scale = f._platt(np.tile([-12.0, 12.0], 5000), np.tile([1.0, 0.0, 0.0, 0.0], 2500))
    assert np.isfinite([shift, scale]).all()
    assert expit(shift - 12 * scale) > 0.3 and expit(shift + 12 * scale) < 0.1


# --- time


@pytest.mark.parametrize("model", f.MODELS)
@pytest.mark.parametrize("cut", [REFITS[4], REFITS[4] + 1, REFITS[6] + 30])
def test_forecasts_know_no_future(model, cut):
    x, y, _ = planted("future", 1.5)
    x[:40, 3] = np.nan
    whole = f.walk(x, y, REFITS, model=model).p_flip[: cut + 1]
    short = f.walk(x[: cut + 1], y[: cut + 1], REFITS[REFITS <= cut], model=model).p_flip
    np.testing.assert_array_equal(short, whole)
    x[cut + 1 :] = 99.0
    y[cut - f.HORIZON + 1 :] = 1.0  # not known at the close of `cut`
    np.testing.assert_array_equal(f.walk(x, y, REFITS, model=model).p_flip[: cut + 1], whole)


@pytest.mark.parametrize("embargo", [5, 10])
def test_the_embargo_is_to_the_day(embargo):
    x, y, _ = planted("embargo", 1.5)
    refits = np.array([400, 415, 500])
    last = 415 - f.HORIZON - embargo
    assert last % f.STRIDE == 0
    before = f.walk(x, y, refits, embargo).p_flip
    for row, moved in ((last, True), (last + f.STRIDE, False)):
        other = y.copy()
        other[row] = 1 - other[row]
        after = f.walk(x, other, refits, embargo).p_flip
        np.testing.assert_array_equal(after[:416], before[:416])
        assert (after[416:501] != before[416:501]).any() == moved
        assert (after[501:] != before[501:]).any()


def test_before_there_is_a_model_there_is_the_hazard():
    x, y, _ = planted("early", 1.5)
    x[:, 0] = np.nan
    made = f.walk(x, y, REFITS)
    assert pytest.approx(1 - (89 / 90) ** 10) == f.BASE_RATE
    first = made.refits["row"].iloc[0]
    assert first == REFITS[0]
    assert (made.p_flip[: first + 1, 1:] == f.BASE_RATE).all()
    assert (made.p_flip[first + 1, 1:] != f.BASE_RATE).all()
    assert np.isnan(made.p_flip[:, 0]).all()
    assert not np.isnan(made.p_flip[:, 1:]).any()
    assert (made.p_flip[:, 1:] > 0).all() and (made.p_flip[:, 1:] < 1).all()
    for nothing in (f.walk(x, y, REFITS, min_rows=10**6), f.walk(x, y * 0, REFITS),
                    f.walk(x, y, REFITS[:0]), f.walk(x, y, np.array([3]))):  # fmt: skip
        assert (nothing.p_flip[:, 1:] == f.BASE_RATE).all()
        assert len(nothing.refits) == 0 and nothing.refits["row"].dtype == np.int64


def test_the_table_of_refits_by_hand():
    x, y, _ = planted("table", 1.5)
    y[200:260, 5] = np.nan
    made = f.walk(x, y, REFITS)
    assert made.refits["row"].tolist() == REFITS.tolist()
    assert np.isnan(made.refits[["brier", "brier_base"]].iloc[0]).all()
    for number, row in enumerate(REFITS[:5]):
        until = row - 20 + 1
        learned = y[:until:5]
        got = made.refits.iloc[number]
        assert got["rows"] == np.isfinite(learned).sum()
        assert got["base_rate"] == pytest.approx(np.nanmean(learned))
        if number:
            seen = slice(REFITS[0] + 1, until)
            assert got["brier"] == pytest.approx(np.nanmean((made.p_flip - y)[seen] ** 2))
    base = made.refits["base_rate"].iloc[0]
    seen = slice(REFITS[0] + 1, REFITS[1] - 20 + 1)
    assert made.refits["brier_base"].iloc[1] == pytest.approx(np.nanmean((base - y[seen]) ** 2))


def test_the_track_record_is_a_trailing_one(monkeypatch):
    monkeypatch.setattr(f, "TRAILING", 100)
    x, y, _ = planted("trailing", 1.5)
    made = f.walk(x, y, REFITS)
    until = REFITS[8] - 20 + 1
    seen = slice(until - 100, until)
    assert made.refits["brier"].iloc[8] == pytest.approx(np.mean((made.p_flip - y)[seen] ** 2))


def test_a_refit_that_can_not_learn_keeps_the_model_before():
    x, y, _ = planted("kept", 1.5)
    y[:, 2:] = np.nan
    x[:, 2:] = np.nan
    first = f.walk(x, y, np.array([600]), min_rows=200)
    # a later refit with all labels of one kind is none
    both = f.walk(x, y, np.array([50, 600]), min_rows=200)
    np.testing.assert_array_equal(first.p_flip, both.p_flip)
    assert both.refits["row"].tolist() == [600]


def test_the_first_model_is_a_logistic_regression_of_what_was_known():
    x, y, _ = planted("plain", 1.5)
    made = f.walk(x, y, np.array([600]))
    learned = slice(None, 581, 5)
    near = FunctionTransformer(np.clip, kw_args={"a_min": -3, "a_max": 3})
    fitted = make_pipeline(StandardScaler(), near, LogisticRegression(C=0.02))
    fitted.fit(x[learned].reshape(-1, 4), y[learned].ravel())
    expected = fitted.predict_proba(x[601:].reshape(-1, 4))[:, 1]
    np.testing.assert_allclose(logit(made.p_flip[601:].ravel()), logit(expected), atol=1e-4)


def test_what_was_never_seen_is_not_extrapolated():
    x, y, _ = planted("far", 1.5)
    x[:581, :, 3] *= 1e-3
    made = f.walk(x, y, np.array([600])).p_flip[601:]
    assert made.max() < 0.99 and made.min() > 0.001
    better, error = gain(made, y[601:], slice(None, -f.HORIZON))
    assert better > 5 * error


@pytest.mark.parametrize("model", f.MODELS)
def test_the_same_seed_gives_the_same_bits(model):
    x, y, _ = planted("bits", 1.5)
    runs = [f.walk(x, y, REFITS, model=model, seed=s).p_flip for s in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] == runs[2]).all() == (model == "logistic")


def test_what_does_not_fit_is_refused():
    x, y, _ = planted("wrong", 1.0)
    with pytest.raises(ConfigError, match="'forest' is unknown"):
        f.walk(x, y, REFITS, model="forest")
    with pytest.raises(DataError, match="same days and series"):
        f.walk(x[:-1], y, REFITS)
    with pytest.raises(DataError, match="do not grow"):
        f.walk(x, y, REFITS[::-1])
