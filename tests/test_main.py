"""The entrypoint as a user meets it: exit codes, one clear sentence, nothing lost."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quant.config_paths import PROJECT
from quant.stages import targets

TINY = (
    "data.start=2012-01-03", "data.end=2015-12-31", "data.sim.n_names=40",
    "model2.walk_forward.min_train_years=1.5", "model2.walk_forward.calibration_min_dates=40",
    "model2.walk_forward.calibration_bins=5", "model2.walk_forward.row_step=10",
    "model2.cpcv.embargo=5", "model2.boost.rounds=5", "model2.boost.min_data=20",
    "evaluation.bootstrap=50", "backtest.qlib=false",
)  # fmt: skip


def quant(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess:
    """Run the entrypoint in `folder`, as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "quant.main", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **env},
        capture_output=True,
        text=True,
    )


def only_error(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 1, done.stderr
    errors = [x for x in done.stderr.splitlines() if x.startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in done.stderr, done.stderr
    return errors[0]


def test_help_is_quick_and_names_every_stage(tmp_path):
    started = time.perf_counter()
    done = quant(tmp_path, "--help")
    assert (
        time.perf_counter() - started < 5
    )  # under a second alone; the bound allows a busy machine
    assert done.returncode == 0
    for word in ("ingest", "report", "region", "cn | us", "stage=e2e", "make ui", "rl.enabled"):
        assert word in done.stdout


@pytest.mark.parametrize("words", ["--help", "--cfg job"])
def test_who_reads_only_the_first_line_hears_no_complaint(words):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m quant.main {words} | true"],
        cwd=PROJECT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv=['quant','--help']; from quant.main import main; main();"
        "print([m for m in ('pandas','hydra','mlflow','numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert done.stdout.strip().endswith("[]")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stage=trian"], "stage=trian is not known; choose one of e2e, data"),
        (["region=fr"], "Could not find 'region/fr'; choose one of cn, us"),
        (["+rl.typo=1"], "Key 'typo' not in 'Rl'"),
        (["data=files", "data.root=/nowhere"], "/nowhere"),
        (["data=tushare", "region=cn"], "TUSHARE_TOKEN"),
        (["stage=backtest", "backtest.start=1999-01-04", *TINY], "before the first alpha"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_one(tmp_path, words, message):
    text = only_error(quant(tmp_path, "tracking=none", *words, TUSHARE_TOKEN=""))
    assert message in text


def test_the_home_folder_may_be_written_as_shells_write_it(tmp_path):
    home = str(tmp_path / "my home")
    done = quant(tmp_path, "tracking=none", "data=files", "data.root=~/prices", HOME=home)
    assert f"the data folder {home}/prices does not exist" in only_error(done)


@pytest.mark.parametrize("place", ["outputs", "mlruns", "outputs/store"])
def test_a_file_where_a_folder_belongs_is_one_sentence(tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("mine")
    text = only_error(quant(tmp_path, "stage=ingest", *TINY))
    assert place in text and (tmp_path / place).read_text() == "mine"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One tiny end-to-end run, tracked."""
    folder = tmp_path_factory.mktemp("run")
    done = quant(folder, *TINY)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.mark.slow
def test_a_run_leaves_a_report_a_log_and_a_tracked_run(run):
    folder, done = run
    reports = list((folder / "reports" / "sprint2_US").glob("report-*-*-*.html"))
    assert len(reports) == 1 and not os.access(reports[0], os.W_OK) or os.geteuid() == 0
    assert "SIMULATED" in reports[0].read_text()
    log = next(folder.glob("outputs/runs/*/*/log.jsonl"))
    lines = [json.loads(x) for x in log.read_text().splitlines()]
    for line in lines:
        assert {"utc", "local_date", "git_sha", "config_hash", "global_seed",
                "region", "split"} <= set(line)  # fmt: skip
    seeds = next(x["model_seeds"] for x in lines if "model_seeds" in x)
    assert seeds and len(set(seeds.values())) == len(seeds)
    assert (folder / "mlruns" / "mlflow.db").exists()


@pytest.mark.slow
def test_a_rerun_skips_everything_and_the_same_command_elsewhere_gives_the_same_hashes(
    run, tmp_path
):
    folder, _ = run
    again = quant(folder, *TINY)
    assert again.returncode == 0 and again.stderr.count("unchanged") == len(targets("e2e"))
    elsewhere = quant(tmp_path, *TINY, "tracking=none")
    assert elsewhere.returncode == 0
    assert hashes(folder) == hashes(tmp_path)


def hashes(folder: Path) -> dict:
    newest = max(folder.glob("outputs/runs/*/*/log.jsonl"), key=lambda p: p.stat().st_mtime)
    last = json.loads(newest.read_text().splitlines()[-1])["hashes"]
    for page in ("report", "cards"):  # they print the command, and with it how it was tracked
        last.pop(page)
    return last


@pytest.mark.slow
def test_a_kill_at_any_moment_resumes_to_the_same_hashes(run, tmp_path):
    words = [sys.executable, "-m", "quant.main", *TINY, "tracking=none"]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    for pause in (2.0, 4.5, 7.0):
        process = subprocess.Popen(words, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL)
        time.sleep(pause)
        process.kill()
        process.wait()
    assert quant(tmp_path, *TINY, "tracking=none").returncode == 0
    assert hashes(run[0]) == hashes(tmp_path)


@pytest.mark.slow
def test_a_sweep_shares_what_it_can_and_a_failed_job_leaves_the_others(run):
    folder, _ = run
    done = quant(folder, *TINY, "--multirun", "costs.multiplier=1,2", "optimizer.gamma=8,-1")
    assert done.returncode == 1
    assert done.stderr.count("optimizer.gamma=-1 is outside") == 2
    # both good jobs reached their report; only the dearer one had anything to compute
    assert done.stderr.count("report: reports/") == 2
    assert done.stderr.count("features: unchanged") == 2
    assert done.stderr.count("backtest: done") == 1


@pytest.mark.slow
def test_a_store_corrupted_by_hand_is_one_sentence(run, tmp_path):
    folder, _ = run
    stored = (folder / "outputs" / "store" / "backtest").glob("*/nav.parquet")
    good = {table: table.read_bytes() for table in stored}  # a sweep may have left several
    for table, whole in good.items():
        table.write_bytes(whole[:100])
    text = only_error(quant(folder, *TINY, "tracking=none", "evaluation.quantiles=5"))
    for table, whole in good.items():
        table.write_bytes(whole)
    assert "changed after it was stored" in text and "delete the folder" in text
