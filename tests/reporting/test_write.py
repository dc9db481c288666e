"""A report on disk: named for its run, read-only, never written over."""

import errno
import os
import stat

import pytest

from quant.core.errors import ReportError
from quant.reporting import write as module
from quant.reporting.write import folder_name, write


def test_name_mode_and_content(tmp_path):
    path = write("<p>é</p>", tmp_path / "sprint0_US", "a19de4d", "5e0c", "run-1")
    assert path.name == "report-a19de4d-5e0c-run-1.html"
    assert path.read_text(encoding="utf-8") == "<p>é</p>"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_it_refuses_to_overwrite(tmp_path):
    path = write("first", tmp_path, "a", "b", "c")
    with pytest.raises(ReportError, match="exists already, and reports are never overwritten"):
        write("second", tmp_path, "a", "b", "c")
    assert path.read_text() == "first"


def test_the_pointer_names_the_newest(tmp_path):
    write("1", tmp_path, "a", "b", "one")
    write("2", tmp_path, "a", "b", "two")
    pointer = (tmp_path / "report.html").read_text()
    assert "report-a-b-two.html" in pointer and "one" not in pointer
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "report-a-b-one.html",
        "report-a-b-two.html",
        "report.html",
    ]


def test_each_kind_of_page_has_its_own_name_and_pointer(tmp_path):
    write("report", tmp_path, "a", "b", "one")
    path = write("audit", tmp_path, "a", "b", "one", "audit")
    assert path.name == "audit-a-b-one.html" and path.read_text() == "audit"
    assert "audit-a-b-one.html" in (tmp_path / "audit.html").read_text()
    assert "report-a-b-one.html" in (tmp_path / "report.html").read_text()


def test_a_refused_report_leaves_the_pointer_alone(tmp_path):
    write("1", tmp_path, "a", "b", "one")
    write("2", tmp_path, "a", "b", "two")
    with pytest.raises(ReportError):
        write("3", tmp_path, "a", "b", "one")
    assert "two" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("bad", ["", "../up", "a/b", "a b", ".hidden", "<x>", "a\n"])
def test_ids_that_can_not_stand_in_a_name(tmp_path, bad):
    with pytest.raises(ReportError, match="can not stand in a report's file name"):
        write("x", tmp_path, "a", "b", bad)
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_is_too_large(tmp_path):
    with pytest.raises(ReportError, match="at most 3,000,000 are allowed"):
        write("x" * 3_000_001, tmp_path, "a", "b", "c")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(ReportError, match="No space left on device.*free space"):
        write("x", tmp_path, "a", "b", "c")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "reports").write_text("mine")
    with pytest.raises(ReportError, match="reports is a file"):
        write("x", tmp_path / "reports", "a", "b", "c")
    assert (tmp_path / "reports").read_text() == "mine"


@pytest.mark.parametrize("sprint", ["s0", "S0", "sprint0", "0"])
def test_folder(sprint):
    assert folder_name(sprint, "us") == "sprint0_US"
