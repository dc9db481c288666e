"""The controller trained by PPO on market replay, and the best constant setting beside it."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from quant.core import logs, sources, tables
from quant.core.errors import DataError, StageError
from quant.core.seeds import derive
from quant.core.store import digest_json
from quant.core.types import Frame, Vector
from quant.evaluation import metrics
from quant.optimizer.knobs import Knobs
from quant.rl import rivals
from quant.rl.env import World, constantly, play
from quant.rl.network import Policy
from quant.rl.observation import NAMES as OBSERVED
from quant.rl.rivals import Job
from quant.rl.workers import Plan, Workers
from quant.stages import rl
from quant.stages.registry import Context, Inputs, Stage, plain

MADE = (
    tables.POLICY, tables.POLICY_INFO, tables.RL_CURVE, tables.RL_LOOKS, tables.RL_SEARCH,
)  # fmt: skip
FOLDER = "controller"  # holds about.json, and policy.npz where there is one
FEWEST = 8  # constant settings that the search tries


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Train every seed, then search constants for as many sessions; nothing without a controller.

    Raises StageError where torch is not installed, ConfigError where the data lack the sessions.
    """
    (c.scratch / FOLDER).mkdir(exist_ok=True)
    about = {"region": c.region, "controller": bool(s["enabled"])}
    (c.scratch / FOLDER / "about.json").write_text(json.dumps(about))
    if not s["enabled"]:
        return rl.empties(*MADE)
    given = _given(c.private.policy, c.region)
    if given is None:
        _require_torch()
    made = rl.world(s, f, c)
    dates, (opens, closes) = made.scene.dates, (made.policy.first, _last(made))
    span = rl.periods(
        s["rl"]["splits"], dates, max(made.scene.first, opens), closes, s["rl"]["episode"]
    )
    logs.event(
        f"rl_train: trains on {dates[span.train[0]]} to {dates[span.train[1]]}, every input by "
        f"walk-forward; validates to {dates[span.val[1]]}"
    )
    made = rl.prepared(made, c, span.train[0], span.val[1])
    with Workers(made, None, 0, c.private.workers, c.scratch) as workers:
        spread, frozen = _spread(workers, s, c, span)
        start = _searched(workers, s, c, made, "start", span.train, s["rl"]["start"])
        begin = next(row["knobs"] for row in start if row["best"])
    logs.event(f"rl_train: begins at the best of {len(start)} constant settings, {_told(begin)}")
    plan = Plan(s["rl"]["episode"], reference(made, begin, *span.train), s["rl"]["referee"])
    with Workers(made, plan, s["rl"]["ppo"]["n_envs"], c.private.workers, c.scratch) as workers:
        records = _trained(workers, s, f, c, begin, span, frozen, given)
        steps = max(r.curve[-1]["step"] if r.curve else 0 for r in records.values())
        whole = span.train[0], span.val[1]
        decisions = -(-(whole[1] - whole[0]) // made.policy.constants.every)
        count = max(FEWEST, math.ceil(steps / decisions))
        search = _searched(workers, s, c, made, "search", whole, count)
        if s["rl"]["referee"] and given is None:
            told = workers.each("referee", [None] * workers.n_envs)
            c.metrics["rl.refereed"] = float(sum(n for n, _ in told))
            c.metrics["rl.referee_worst"] = float(max(apart for _, apart in told))
    return _tables(records, start + search + spread, s, c, dates, span)


def _told(knobs: Knobs) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in vars(knobs).items())


def reference(made: World, knobs: Knobs, first: int, last: int) -> Vector:
    """(n_days,) reward of constant knobs in each session, 0 outside the training."""
    out = np.zeros(made.scene.dates.size)
    done = play(made, constantly(knobs), first, last)
    ends = [*done.sessions[1:], last]
    for t, step in zip(ends, done.steps, strict=True):
        out[t] = step.reward
    return out


def _last(made: World) -> int:
    known = np.flatnonzero(~np.isnan(made.policy.signals.alpha).all(axis=1))
    return int(known[-1])


def _require_torch() -> None:
    from importlib.util import find_spec

    if find_spec("stable_baselines3") is None:
        raise StageError(
            "rl.enabled=true trains with torch, which is not installed; run `make setup`, give a "
            "trained rl.policy=<policy.npz>, or use rl.enabled=false."
        )


def _spread(
    workers: Workers, s: Mapping[str, Any], c: Context, span: rl.Periods
) -> tuple[list[dict[str, Any]], tuple[int, float]]:
    """Constant settings on validation, and the N and V that every DSR of it is deflated by."""
    tried = rivals.spread(s["rl"]["spread"], derive(c.seed, "rl", "spread"))
    books = workers.map(rivals.played, [Job(knobs, *span.val) for knobs in tried])
    sharpes = np.array([rivals.sharpe(book) for book in books])
    rows = [_row("spread", i, tried[i], sharpes[i], False) for i in range(len(tried))]
    return rows, (len(tried), float(np.nanvar(sharpes, ddof=1)))


def _trained(
    workers: Workers, s: Mapping[str, Any], f: Inputs, c: Context, begin: Knobs,
    span: rl.Periods, frozen: tuple[int, float], given: Policy | None,
) -> dict[int, Any]:  # fmt: skip
    """The record of every seed; of a policy that was given, its look alone."""
    periods = s["book"]["region"].periods

    def look(policy: Policy) -> dict[str, float]:
        (book,) = workers.map(rivals.played, [Job(policy, *span.val)])
        try:
            dsr = metrics.dsr(metrics.shape(book.excess), *frozen)
        except DataError:  # a book of cash alone does not vary
            dsr = float("nan")
        return {"sharpe": metrics.sharpe(book.excess, 0.0, periods), "dsr": dsr}

    if given is not None:
        row = {"step": float(given.step), "best": 1.0, **look(given)}
        return {0: SimpleNamespace(best=given, curve=[], looks=[row])}
    from quant.rl.ppo import Settings, Training

    r, p = s["rl"], s["rl"]["ppo"]
    settings = Settings(
        steps=r["steps"], warmup=r["warmup"], every=r["every"], least=r["least"],
        patience=r["patience"], threads=r["threads"], device=r["device"], **p,
    )  # fmt: skip
    folder = Path(c.private.folder) / _digest(s, f, c)
    folder.mkdir(parents=True, exist_ok=True)
    records = {}
    for k in range(r["seeds"]):
        seed = c.seed if k == 0 else derive(c.seed, "rl", "training", str(k))
        training = Training(
            workers, begin, span.train, r["episode"], settings, look, c.region, seed, folder
        )
        records[k] = training.run(c.tick(f"seed {k + 1} of {r['seeds']}"), _said)
        c.metrics[f"rl.val_dsr.{k}"] = max(row["dsr"] for row in records[k].looks)
    return records


def _said(line: str) -> None:
    logs.event(f"rl_train: {line}")


def _given(path: str | None, region: str) -> Policy | None:
    """The policy that somebody trained before, where one was named; refused before work begins."""
    if path is None:
        return None
    policy = Policy.load(Path(path))
    policy.check(region)
    return policy


def _digest(s: Mapping[str, Any], f: Inputs, c: Context) -> str:
    """Name of the checkpoints: everything that decides the training, and nothing else."""
    return digest_json(
        {
            "settings": plain(s),
            "seed": c.seed,
            "region": c.region,
            "tables": {t.name: f.digest(t.name) for t in rl.NEEDS},
            "sources": sources.fingerprint(__name__),
            "environment": sources.environment(),
        }
    )[:16]


def _searched(
    workers: Workers, s: Mapping[str, Any], c: Context, made: World, use: str,
    window: tuple[int, int], count: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """`count` constant settings tried on a window, the best one marked."""
    tick = c.tick(f"constants, {use}")
    done = 0

    def evaluate(asked: Any) -> list[float]:
        nonlocal done
        books = workers.map(rivals.played, [Job(knobs, *window) for knobs in asked])
        done += len(asked)
        tick(done, count)
        return [rivals.sharpe(book) for book in books]

    tried = rivals.best_constants(evaluate, made.usual, count, derive(c.seed, "rl", use))
    best = int(np.nanargmax([one.sharpe for one in tried]))
    return [_row(use, i, t.knobs, t.sharpe, i == best) for i, t in enumerate(tried)]


def _row(use: str, number: int, knobs: Knobs, sharpe: float, best: bool) -> dict[str, Any]:
    return {
        "use": use, "number": number, "knobs": knobs, **vars(knobs), "sharpe": sharpe, "best": best,
    }  # fmt: skip


def _tables(
    records: Mapping[int, Any], searched: list[dict[str, Any]], s: Mapping[str, Any], c: Context,
    dates: Any, span: rl.Periods,
) -> dict[str, Frame]:  # fmt: skip
    trained, known = (pd.Timestamp(dates[span[1]]) for span in (span.train, span.val))
    policies, infos, curves, looks = [], [], [], []
    for k, record in records.items():
        kept = next(row for row in record.looks if row["step"] == record.best.step)
        last = record.looks[-1]["step"]
        policies.append(record.best.rows(known).assign(seed=k))
        infos.append(
            {
                "seed": k, "step": record.best.step, "steps": int(last), "region": c.region,
                "observations": ",".join(OBSERVED),
                "ended": "steps" if last >= s["rl"]["steps"] else "no more improvement",
                "sharpe": kept["sharpe"], "dsr": kept["dsr"], "steers": False, "known": known,
            }
        )  # fmt: skip
        curves += [row | {"seed": k, "known": trained} for row in record.curve]
        looks += [row | {"seed": k, "known": known, "best": bool(row["best"])}
                  for row in record.looks]  # fmt: skip
    best = int(np.argmax([np.nan_to_num(one["dsr"], nan=-1.0) for one in infos]))
    infos[best]["steers"] = True
    records[best].best.save(c.scratch / FOLDER / "policy.npz")
    policy = pd.concat(policies, ignore_index=True)
    return {
        "policy": policy[tables.POLICY.schema.names],
        "policy_info": pd.DataFrame(infos),
        "rl_curve": _frame(tables.RL_CURVE, curves),
        "rl_looks": _frame(tables.RL_LOOKS, looks),
        "rl_search": _frame(
            tables.RL_SEARCH,
            [row | {"known": trained if row["use"] == "start" else known} for row in searched],
        ),
    }


def _frame(table: tables.Table, rows: list[dict[str, Any]]) -> Frame:
    if not rows:
        return table.empty()
    made = pd.DataFrame(rows)[table.schema.names]
    whole = [name for name in ("seed", "step", "number") if name in made]
    return made.astype(dict.fromkeys(whole, np.int64))


STAGE = Stage(
    "rl_train",
    needs=rl.NEEDS,
    makes=MADE,
    files=(FOLDER,),
    links={FOLDER: "rl_train/{region}/" + FOLDER},
    settings=rl.settings,
    private=rl.private,
    external=rl.external,
    run=run,
    module=__name__,
)
