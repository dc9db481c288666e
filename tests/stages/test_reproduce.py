"""stage=reproduce: a run made again from its bundle, and everything that must not pass for it."""

import json
from dataclasses import fields, replace

import pytest
import yaml

from quant import main, settings
from quant.config import config_hash, from_tree, resolved, used
from quant.config_paths import CONF
from quant.core.errors import ConfigError, GateError, StoreError
from quant.governance import bundle, holdout, trials
from quant.stages import report, reproduce
from tests.pipeline import tiny

pytestmark = pytest.mark.slow


def config(folder, **changes):
    base = replace(tiny("us"), **changes)
    paths = {f.name: str(folder / f.name) for f in fields(settings.Paths)}
    paths |= {k: str(folder / f"{k}.jsonl") for k in ("trials", "holdout")}
    own = replace(
        base,
        data=replace(base.data, sim=settings.Sim(n_names=40), start="2012-01-03", end="2014-12-31"),
        paths=settings.Paths(**paths),
        tracking=settings.Tracking(enabled=False),
        backtest=settings.Backtest(qlib=False),
        evaluation=settings.Evaluation(bootstrap=50),
        importance=settings.Importance(rows=20, ablation=False),
    )
    return from_tree(resolved(own))  # as it comes from a command line


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two runs that share their ledgers; the second one's bundle."""
    folder = tmp_path_factory.mktemp("made")
    for number, name_max in enumerate((0.1, 0.09)):
        own = config(folder, optimizer=settings.Optimizer(name_max=name_max))
        (folder / f"run{number}").mkdir()
        main.run(own, folder / f"run{number}")
    found = [p for p in (folder / "bundles").iterdir()
             if p.is_dir() and p.name.endswith(config_hash(own))]  # fmt: skip
    assert len(found) == 1
    return found[0], own


def again(path, folder, **changes):
    own = config(folder, stage="reproduce", bundle=str(path), **changes)
    (folder / "run").mkdir(exist_ok=True)
    main.run(own, folder / "run")
    return [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]


def test_the_bundle_holds_what_the_run_was_made_from(made):
    folder, own = made
    found = bundle.load(folder)
    tree = {k: v for k, v in resolved(own).items() if k not in ("paths", "tracking")}
    assert yaml.safe_load(found.members[bundle.CONFIG]) == tree
    assert config_hash(from_tree(tree)) == found.members[bundle.HASH].decode().strip()
    facts = found.facts
    assert {"ingest", "model2", "backtest", "evaluate", "report"} <= set(facts["hashes"])
    assert facts["hashes"]["backtest"]["nav.parquet"] and facts["lock"] and facts["data"]
    ledger = found.members["ledger/trials.jsonl"].decode().splitlines()
    assert len(ledger) == 1  # the other run, not its own
    assert json.loads(ledger[0])["config_hash"] != facts["config_hash"]


def test_every_file_has_the_hash_it_had(made, tmp_path):
    log = again(made[0], tmp_path)
    said = [line for line in log if "files of" in line.get("message", "")]
    assert len(said) == 1 and "have the hashes of" in said[0]["message"]
    assert trials.read(tmp_path / "trials.jsonl") == []  # a run made again is no trial
    assert not list((tmp_path / "store").glob(".scratch-*"))


@pytest.mark.parametrize("said", ["python -m quant.main", "python -m quant.main region=us seed=7"])
def test_the_page_prints_the_command_of_the_run_that_it_repeats(said, tmp_path):
    with reproduce._command(said):
        assert report.settings(config(tmp_path))["command"] == said


def changed(folder, place, **facts):
    """A bundle whose record says something else, sealed anew: as good a forgery as can be made."""
    members = dict(bundle.load(folder).members)
    told = json.loads(members[bundle.FACTS])
    for key, value in facts.items():
        told[key] = value
    members[bundle.FACTS] = json.dumps(told).encode()
    return bundle.write(place, "forged", members)


def test_the_first_file_that_differs_is_named(made, tmp_path):
    hashes = bundle.load(made[0]).facts["hashes"]
    hashes["features"]["features.parquet"] = "0" * 64
    hashes["backtest"]["nav.parquet"] = "0" * 64
    forged = changed(made[0], tmp_path / "bundles", hashes=hashes)
    with pytest.raises(GateError, match=r"first file that differs is features.parquet of stage"):
        again(forged, tmp_path)
    # other code is said first of all
    forged = changed(made[0], tmp_path / "bundles", hashes=hashes, git_sha="0000000", dirty="f00")
    with pytest.raises(GateError, match=r"the code is .*, then 0000000"):
        again(forged, tmp_path)


def test_settings_that_are_not_those_of_the_hash_are_refused(made, tmp_path):
    members = dict(bundle.load(made[0]).members)
    tree = yaml.safe_load(members[bundle.CONFIG])
    tree["optimizer"]["name_max"] = 0.2
    members[bundle.CONFIG] = yaml.safe_dump(tree).encode()
    forged = bundle.write(tmp_path / "bundles", "forged", members)
    with pytest.raises(StoreError, match="it was changed after it was written"):
        again(forged, tmp_path)
    tree["optimizer"]["nonsense"] = 1
    members[bundle.CONFIG] = yaml.safe_dump(tree).encode()
    forged = bundle.write(tmp_path / "bundles", "older", members)
    with pytest.raises(ConfigError, match="Check out"):
        again(forged, tmp_path)


def test_no_bundle_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="needs bundle="):
        reproduce.opened(config(tmp_path, stage="reproduce"))
    with pytest.raises(StoreError, match="name a folder below"):
        reproduce.opened(config(tmp_path, stage="reproduce", bundle=str(tmp_path / "none")))


def test_making_a_run_again_is_a_look_at_the_hold_out_that_it_reads(made, tmp_path):
    read = settings.Holdout(start="2014-07-01", read=True)
    members = dict(bundle.load(made[0]).members)
    tree = yaml.safe_load(members[bundle.CONFIG])
    tree["evaluation"]["holdout"] |= resolved(replace(config(tmp_path), evaluation=replace(
        config(tmp_path).evaluation, holdout=read)))["evaluation"]["holdout"]  # fmt: skip
    members[bundle.CONFIG] = yaml.safe_dump(tree).encode()
    members[bundle.HASH] = f"{config_hash(from_tree(tree))}\n".encode()
    forged = bundle.write(tmp_path / "bundles", "looking", members)
    with pytest.raises(GateError):
        again(forged, tmp_path)
    assert [r["kind"] for r in holdout.read(tmp_path / "holdout.jsonl")] == ["read"]


def test_every_file_that_a_composition_takes_is_listed(tmp_path):
    (tmp_path / ".hydra").mkdir()
    choices = {"region": "cn", "model2": "cn", "costs": "fitted", "experiment": None,
               "data": "files", "data/layout": "standard", "hydra/launcher": "basic"}  # fmt: skip
    said = {"hydra": {"runtime": {"choices": choices}}}
    (tmp_path / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump(said))
    found = {p.relative_to(CONF).as_posix() for p in used(CONF, tmp_path)}
    assert found == {"config.yaml", "region/cn.yaml", "model2/cn.yaml", "model2/us.yaml",
                     "costs/fitted.yaml", "costs/fixed.yaml", "data/files.yaml",
                     "data/layout/standard.yaml"}  # fmt: skip
    everything = used(CONF, tmp_path / "none")
    assert set(everything) == {p for p in CONF.rglob("*.yaml") if "bundles" not in p.parts}
