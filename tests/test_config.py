"""Every composition holds; unknown keys and wrong units are refused in a sentence."""

import dataclasses
import itertools

import pytest
from hydra import compose, initialize_config_dir

from quant.config import config_hash, first_line, register, typed
from quant.config_paths import CONF
from quant.core.errors import ConfigError
from quant.settings import Config, Data, Vendor

register()


def composed(*overrides: str) -> Config:
    with initialize_config_dir(str(CONF), version_base=None):
        return typed(compose("config", overrides=list(overrides)))


def options(group: str) -> list[str]:
    return sorted(p.stem for p in (CONF / group).glob("*.yaml"))


@pytest.mark.parametrize(
    ("region", "experiment"), list(itertools.product(("us", "cn"), options("experiment")))
)
def test_every_experiment_composes_in_every_region(region, experiment):
    assert composed(f"region={region}", f"experiment={experiment}").region.name == region


@pytest.mark.parametrize("layout", options("data/layout"))
def test_every_layout_composes(layout):
    assert composed("data=files", f"data/layout={layout}", "data.root=/x").data.layout


def test_the_region_brings_its_own_settings():
    us, cn = composed("region=us"), composed("region=cn")
    assert (us.region.periods, cn.region.periods) == (252, 243)
    assert (us.optimizer.group_max, cn.optimizer.group_max) == (0.25, 0.15)
    assert cn.universe.exclude_st and not us.universe.exclude_st


def test_defaults_carry_the_specification_s_values():
    c = composed("region=us")
    assert (c.optimizer.gamma, c.optimizer.turnover.tau) == (8.0, 0.20)
    assert (c.costs.lambda1, c.costs.lambda2) == (5e-4, 1e-5)
    assert (c.optimizer.name_max, c.optimizer.vol_target.base) == (0.02, 0.12)
    assert (c.universe.size, c.universe.min_price) == (800, 3.0)
    assert (c.model2.cpcv.n_groups, c.model2.cpcv.n_test, c.model2.cpcv.embargo) == (6, 2, 63)
    assert (c.seed, c.model2.label.horizon) == (42, 21)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rl.typo=1", "Key 'typo' not in 'Rl'"),
        ("+rl.typo=1", "Key 'typo' not in 'Rl' \\(at rl.typo\\)"),
        ("region=fr", "Could not find 'region/fr'; choose one of cn, us"),
        ("data=bloomberg", "choose one of files, sim, tushare, yfinance"),
        ("optimizer.turnover.tau=20", "tau=20 is outside .*fraction of NAV.*tau=0.2"),
        ("optimizer.vol_target.base=12", "base=12 is outside .*decimal a year.*base=0.12"),
        ("costs.lambda1=5", "lambda1=5 is outside .*5e-4 = 5 bp"),
        ("model2.threads=many", "Value 'many' .* could not be converted to Integer"),
        ("model2.models=[ridge,forest]", "forest.*ridge, lightgbm, xgboost, mlp, .*momentum"),
        ("model2.models=[ridge,ridge]", "models=.*name at least one, and each once"),
        ("model2.horizons=[]", "horizons=.*name at least one, and each once"),
        ("model2.horizons=[5,63]", "horizons=.5, 63. are not all among model2.label.horizons"),
        ("model2.draws=0", "draws=0 is outside .*seeds of a random model"),
        ("rl.reward.kind=mine", "choose one of literal, research"),
        ("rl.ppo.n_envs=3", "batch=4096 must be a multiple of n_envs=3"),
        ("rl.splits.train_end=2020-06-30", "must follow each other without overlap"),
        ("model1.dcc.window_days=10", "window_days=10 is outside"),
        ("model1.hmm_vol.retrain_freq=M", "retrain_freq.*choose one of W"),
        ("optimizer.vol_target.base=0.1", "base=0.1 and model1.mapping.vol_target_base=0.12"),
        ("costs.model=learned", "costs.model='learned' is not known; choose one of fixed, fitted"),
        ("costs.lambda1_per_bucket_bp=[1,2]", "one is given and the other is not"),
        ("costs.bucket_scheme.edges_pct=[0,50]", "do not bound n_buckets=6"),
        ("execution.style=TWAP", "execution.style='TWAP' is not known; choose one of MOO, POV"),
        ("execution.impact=lambda", "scheduled orders pay what the simulator says"),
        ("execution.adv_cap_bp=0", "execution.adv_cap_bp=0 is outside"),
        ("execution.pov.target_pov=10", "execution.pov.target_pov=10 is outside"),
        ("data=files", "needs data.root"),
        ("data=tushare", "data=tushare serves region=cn, not us"),
        ("data.start=2010", "not a date|could not be converted"),
        ("seed=-1", "seed=-1 is outside .*a whole number"),
        ("seed=99999999999", "seed=1e\\+11 is outside"),
        ("region.calendar=XSHG", "that of region us is 'XNYS', a fact and no choice"),
        ("region.timezone=Mars/Base", "that of region us is 'America/New_York'"),
        ("costs.multiplier=1,2", "several values need --multirun"),
        ("data.root=(x", "can not be read .* needs quotes inside quotes"),
        ("optimizer.method=magic", "choose one of sifting, clarabel, osqp"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(override, message):
    with pytest.raises(Exception) as caught:
        composed(override)
    error = caught.value
    text = str(error) if isinstance(error, ConfigError) else first_line(error)
    import re

    assert re.search(message, text), text
    assert "\n" not in text


def test_the_hash_ignores_where_a_run_happens_and_sees_what_it_computes():
    base = Config()
    elsewhere = dataclasses.replace(base.paths, store="/elsewhere")
    moved = dataclasses.replace(base, stage="ingest", paths=elsewhere)
    assert config_hash(moved) == config_hash(base)
    assert config_hash(dataclasses.replace(base, seed=43)) != config_hash(base)
    here, there = (Config(data=Data(provider="files", root=r)) for r in ("/a", "/b"))
    assert config_hash(here) == config_hash(there)
    asked = [Data(vendor=Vendor(**v)) for v in ({}, {"offline": True, "folder": "/x", "batch": 9})]
    assert len({config_hash(Config(data=d)) for d in asked}) == 1
    assert config_hash(Config(data=Data(vendor=Vendor(screen_size=9)))) != config_hash(base)


def test_a_disabled_group_is_one_thing_however_it_was_disabled():
    assert config_hash(composed("rl=disabled")) == config_hash(composed("rl.enabled=false"))
    assert config_hash(composed("experiment=no_rl")) == config_hash(composed())


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("optimizer.tracking_error=0.03", "set both .experiment=relative. or neither"),
        ("optimizer.relative=true", "set both"),
        ("optimizer.group_min=0.3", "group_min=0.3 is above optimizer.group_max=0.25"),
        ("optimizer.cap_short=0.01", "the book has no borrowing"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(override, fault):
    with pytest.raises(ConfigError, match=fault):
        composed(override)
