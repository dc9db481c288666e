"""stage=changes, by the command that people and CI use, in a checkout of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD = "turnover: {tau: 0.20}"
FILE = "conf/optimizer/us.yaml"

pytestmark = pytest.mark.slow


def git(folder: Path, *words: str) -> str:
    own = ("-c", "user.name=t", "-c", "user.email=t@t.org", "-c", "protocol.file.allow=always")
    return subprocess.run(
        ["git", *own, "-C", str(folder), *words], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The project as it lies here, committed in a repository of its own, and a branch on it."""
    folder = tmp_path_factory.mktemp("checkout") / "project"
    git(ROOT, "clone", "-q", str(ROOT), str(folder))
    names = git(ROOT, "ls-files", "-o", "-m", "--exclude-standard").split()
    for name in names:  # what is not committed yet is tested too
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "as it lies here", "--allow-empty")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(folder, "checkout", "-qb", "change")
    git(folder, "commit", "-qm", "a change", "--allow-empty")
    return folder


def run(folder: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "quant.main", "stage=changes", "tracking=none", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def pages(folder: Path) -> list[str]:
    return sorted(p.read_text() for p in (folder / "reports").rglob("changes-*.html"))


def test_a_change_needs_its_line(checkout):
    text = (checkout / FILE).read_text()
    assert OLD in text
    (checkout / FILE).write_text("# a comment\n" + text.replace(OLD, "turnover:\n  tau: 0.200"))
    told = run(checkout)
    assert told.returncode == 0, told.stderr
    assert "0 values since" in told.stdout + told.stderr

    (checkout / FILE).write_text(text.replace(OLD, "turnover: {tau: 0.123}"))
    told = run(checkout)
    assert told.returncode == 1
    asked = "- `optimizer.turnover.tau` (0.2 → 0.123): why"
    assert asked in told.stderr
    assert any(asked in page for page in pages(checkout))

    log = checkout / "CHANGELOG.md"
    log.write_text(log.read_text() + "\n- `optimizer.turnover.tau` (0.2 → 0.123): a test.\n")
    told = run(checkout)
    assert told.returncode == 0, told.stderr
    assert not (checkout / "mlruns/holdout.jsonl").exists()  # it opened no data


def test_a_revision_that_is_not_there_is_named(checkout):
    told = run(checkout, "changes.base=nowhere")
    assert told.returncode == 1
    assert "revision nowhere is not in this checkout" in told.stderr
    assert "Traceback" not in told.stderr
