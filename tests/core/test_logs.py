import json
import logging

from quant.core import logs


def test_every_line_is_json_with_both_clocks_and_the_run_s_facts(tmp_path, capsys):
    facts = {"git_sha": "abc", "config_hash": "h", "global_seed": 42, "region": "cn", "split": "s"}
    logs.start(tmp_path / "log.jsonl", facts, "Asia/Shanghai", debug=False)
    logs.event("hello", rows=3)
    logs.event("hidden", level=logging.DEBUG)
    lines = [json.loads(x) for x in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 1
    assert lines[0] | facts | {"message": "hello", "rows": 3} == lines[0]
    assert lines[0]["utc"].endswith("+00:00") and len(lines[0]["local_date"]) == 10
    assert "hello" in capsys.readouterr().err


def test_debug_lines_appear_when_asked_for(tmp_path):
    logs.start(tmp_path / "log.jsonl", {}, "UTC", debug=True)
    logs.event("shown", level=logging.DEBUG)
    assert "shown" in (tmp_path / "log.jsonl").read_text()


def test_secrets_never_reach_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TUSHARE_TOKEN", "s3cret-value")
    logs.start(tmp_path / "log.jsonl", {"command": "x token=abcdef"}, "UTC", debug=False)
    logs.event("the server said s3cret-value is wrong; password: hunter2", body="s3cret-value")
    written = (tmp_path / "log.jsonl").read_text() + capsys.readouterr().err
    for secret in ("s3cret-value", "abcdef", "hunter2"):
        assert secret not in written
