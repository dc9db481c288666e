"""What one run writes about itself: facts, log, tracked numbers and artifacts."""

import getpass
import json
import logging
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import comb
from pathlib import Path
from typing import Any

from quant import bundles, choices, landing, sweep, tracking
from quant.config import config_hash, resolved, run_name
from quant.core import git, logs, sources
from quant.core.errors import GateError, StoreError
from quant.core.store import digest_json
from quant.core.tables import FOLDS, NAV, RL_CURVE, RL_GATE, RL_LOOKS, TUNING
from quant.core.types import Frame
from quant.evaluation import summary
from quant.governance import holdout, trials
from quant.settings import Config
from quant.stages import ensemble, ingest, reproduce
from quant.stages.runner import Outcome
from quant.tracking import Tracker

STAMP = "%Y%m%dT%H%M%S%f"
NO_DATA = ("changes",)  # stages that open none, so that they look at no hold-out


def facts(config: Config, folder: Path) -> dict[str, Any]:
    """What is known of a run before it starts."""
    digest = config_hash(config)
    sha = git.sha()
    return {
        "stamp": datetime.now(UTC).strftime(STAMP),
        "name": run_name(config),
        "git_sha": sha,
        "config_hash": digest,
        "global_seed": config.seed,
        "region": config.region.name,
        "split": f"{config.backtest.start or config.first_booked or 'first alpha'}.."
        f"{config.backtest.end or config.asof or 'end'}",
        "lock": sources.environment()[:12],
        "command": " ".join(["python -m quant.main", *sys.argv[1:]]),
        "config": resolved(config),
        "folder": str(folder),
    }


def start(config: Config, known: Mapping[str, Any], folder: Path) -> None:
    """Open the log; every line carries the facts."""
    verbose = any("hydra.verbose" in a for a in sys.argv)
    keys = ("git_sha", "config_hash", "global_seed", "region", "split")
    logs.start(folder / "log.jsonl", {k: known[k] for k in keys}, config.region.timezone, verbose)
    logs.event(
        f"{known['name']}  git {known['git_sha']}  seed {config.seed}  stage={config.stage}",
        command=logs.redact(known["command"]),
    )
    if config.data.provider == "sim" and config.stage not in (*NO_DATA, "reproduce"):
        logs.event("data are SIMULATED (data=sim); data=files data.root=<folder> runs on yours")


def tags(known: Mapping[str, Any]) -> dict[str, str]:
    """Tags by which runs are found in the tracking UI."""
    return {k: str(known[k]) for k in ("region", "git_sha", "config_hash", "split", "command")}


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted keys."""
    out: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def describe(tracker: Tracker, config: Config, known: Mapping[str, Any]) -> None:
    """Log settings, hash and seeds before anything runs."""
    settings = flat({k: v for k, v in resolved(config).items() if k not in ("paths", "tracking")})
    settings = {k: v for k, v in settings.items() if not k.startswith("data.layout")}
    tracker.params({**settings, "config_hash": known["config_hash"]})
    tracker.text(json.dumps(resolved(config), indent=1, default=str), "config.json")


def opens(config: Config) -> Config:
    """The settings by which a run opens data: its own, or those of the run that it makes again."""
    if config.stage != "reproduce":
        return config
    return replace(reproduce.opened(config)[1], paths=config.paths)


def hold_out(tracker: Tracker, config: Config, known: Mapping[str, Any]) -> None:
    """Write down the looks that this run takes at hold-outs, before it opens the data."""
    if config.stage in NO_DATA:
        return
    config = opens(config)
    own, path, visit = config.evaluation.holdout, Path(config.paths.holdout), _visit(config)
    kinds = holdout.look(path, visit, _who(known))
    now = holdout.status(path, visit.market, own.start, own.end, own.locked)
    if now.start is None:
        return
    tracker.metrics({"holdout.reads": float(now.reads), "holdout.configs": float(now.configs)})
    which = f"hold-out {now.start} to {now.end or 'the end'}"
    looks = f"looks at it so far: {now.reads}, by {now.configs} configurations (in {path})"
    if holdout.UNDECLARED in kinds:
        logs.event(
            "the data of this run reach into a hold-out that was declared on this market, and "
            f"evaluation.holdout does not say so; {which}, {looks}",
            logging.WARNING,
        )
    elif holdout.READ in kinds:
        logs.event(f"{which} is READ; {looks}", logging.WARNING)
    elif own.locked:
        logs.event(f"{which} is locked: this run does not see it; {looks}")


def done(tracker: Tracker, config: Config, known: Mapping[str, Any], outcome: Outcome) -> None:
    """One finished stage: track it; once the data are there, declare this run's hold-out.

    Not before: a mistyped date that leaves no data declares nothing. What another run declared
    meanwhile, this one has seen too, and says so now.
    """
    track(tracker, outcome)
    if config.stage in (*NO_DATA, "reproduce"):
        return
    visit = _visit(config)
    if holdout.look(Path(config.paths.holdout), visit, _who(known)):
        logs.event(
            "a hold-out was declared on this market since this run began, and its data reach into "
            f"it: a look, written down in {config.paths.holdout}",
            logging.WARNING,
        )
    if outcome.stage.name == "ingest":
        same = {visit.market, ingest.market_id(config)}
        start = config.evaluation.holdout.start or ""
        tried = {r["config_hash"] for r in trials.read(Path(config.paths.trials))
                 if same & {r["market"], r.get("holdout_market")}
                 and r.get("labels_until", start) >= start}  # fmt: skip
        holdout.declare(Path(config.paths.holdout), visit, _who(known), len(tried))


def _who(known: Mapping[str, Any]) -> dict[str, str]:
    said = {k: str(known[k]) for k in ("name", "config_hash", "git_sha")}
    began = datetime.strptime(known["stamp"], STAMP).replace(tzinfo=UTC)
    return {"utc": began.isoformat(), "user": _user(), **said}


def _visit(config: Config) -> holdout.Visit:
    own = config.evaluation.holdout
    first, last = map(str, ingest.span(ingest.settings(config)))
    return holdout.Visit(
        market=ingest.holdout_market(config),
        seen=holdout.Span(first, min(last, config.last_seen or last)),
        own=holdout.Span(own.start, own.end) if own.start else None,
        read=own.read,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return str(os.getuid())


def track(tracker: Tracker, outcome: Outcome) -> None:
    """Log one finished stage: its time, its numbers, its hashes, its files."""
    name = outcome.stage.name
    tracker.metrics({f"seconds.{name}": outcome.seconds, **outcome.metrics})
    hashes = {f: h for f, h in outcome.result.hashes.items()}
    tracker.text(json.dumps(hashes, indent=1), f"hashes/{name}.json")
    if name == "tune":
        rows = outcome.result.read(TUNING).set_index("number")
        shown = ("rank_ic", "icir", "sharpe", "psr", "dsr", "seconds")
        tracker.series({f"tune.{c}": rows[c].dropna().to_dict() for c in shown})
    if name == "rl_train":
        tracker.series(curves(outcome.result.read(RL_CURVE), outcome.result.read(RL_LOOKS)))
    if name == "score":  # also where it was scored before
        said = outcome.metrics
        apart = max(v for k, v in said.items() if k.startswith("score.largest_difference"))
        logs.event(
            f"score: {said['score.rows']:.0f} rows, {said['score.new_rows']:.0f} of them later "
            f"than the model's run; the largest difference from the run is {apart:g}"
        )
    if name == "model2":  # also where it was not trained anew
        rows = outcome.result.read(FOLDS)
        seeds = {
            f"fold {r.fold} {r.model}-h{r.horizon}-d{r.draw}": int(r.seed)
            for r in rows.itertuples()
        }
        logs.event(f"model2: {len(seeds)} models, each with its seed", model_seeds=seeds)
        tracker.text(json.dumps(seeds, indent=1), "model_seeds.json")


def curves(curve: Frame, looks: Frame) -> dict[str, dict[int, float]]:
    """Series by step of every seed's training: rl.<seed>.<what>."""
    shown = ("reward", "better", "value_loss", "approx_kl", "clip_fraction", "std")
    found = {}
    for rows, columns in ((curve, shown), (looks, ("sharpe", "dsr"))):
        for seed, own in rows.groupby("seed"):
            by_step = own.set_index("step")
            found |= {f"rl.{seed}.{c}": by_step[c].dropna().to_dict() for c in columns}
    return found


def judge(tracker: Tracker, config: Config, known: Mapping[str, Any], outcomes: Any) -> None:
    """Register the policy that was judged; it is champion only where the literal gate holds."""
    by_name = {o.stage.name: o for o in outcomes}
    if "rl.gate_passes" not in by_name["rl_gate"].metrics:
        return
    passes = bool(by_name["rl_gate"].metrics["rl.gate_passes"])
    gate = by_name["rl_gate"].result.read(RL_GATE)
    own = gate[gate["seed"] < 0]
    facts = {
        "region": config.region.name,
        "config_hash": known["config_hash"],
        "git_sha": known["git_sha"],
        "passes": str(passes),
        "verdicts": ", ".join(f"{r.period} {r.verdict}" for r in own.itertuples()),
    }
    path = by_name["rl_train"].result.path("controller") / "policy.npz"
    tracker.version(f"controller-{config.region.name}", path, facts, passes)


def refuse_failing_gate(config: Config, outcomes: list[Outcome]) -> None:
    """Raise GateError where the gate itself was asked for and does not hold; all is stored."""
    for outcome in outcomes:
        if config.stage == outcome.stage.name == "rl_gate" and config.rl.enabled:
            rows = outcome.result.read(RL_GATE)
            own = rows[rows["seed"] < 0]
            if outcome.metrics["rl.gate_passes"]:
                continue
            told = "; ".join(
                f"{r.period}: Sharpe {r.sharpe:.2f} against {r.fixed_sharpe:.2f} of the best "
                f"constant (difference {r.low:+.2f} to {r.high:+.2f}), {r.verdict}"
                for r in own.itertuples()
            )
            raise GateError(
                f"the gate does not hold: {told}. No release steers by this policy; leave "
                "rl.enabled=false, or train again."
            )


def record_trial(
    config: Config, known: Mapping[str, Any], outcome: Outcome, outcomes: list[Outcome]
) -> None:
    """Write the trial down. A run as of some day looks again at what was tried: where the ledger
    knows its configuration, that line and its longer returns stay.
    """
    path, row = Path(config.paths.trials), trial(config, known, outcome)
    same = ("market", "config_hash")
    if config.asof and any(all(r[k] == row[k] for k in same) for r in trials.read(path)):
        return
    trials.record(path, row, returns(outcomes))


def trial(config: Config, known: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """The line of the trial ledger that this run's evaluation makes."""
    if not {"portfolio.sharpe_period", "portfolio.n_obs"} <= set(outcome.metrics):
        raise StoreError(
            f"the record of {outcome.result.folder} has lost its metrics; "
            "delete that folder and run again: it will be made anew."
        )
    return {
        "market": ingest.market_id(config),
        "holdout_market": ingest.holdout_market(config),
        "config_hash": known["config_hash"],
        "sharpe_period": outcome.metrics["portfolio.sharpe_period"],
        "n_obs": outcome.metrics["portfolio.n_obs"],
        "name": known["name"],
        "git_sha": known["git_sha"],
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def nav(outcomes: list[Outcome]) -> Frame:
    """NAV of the run's books."""
    return next(o.result.read(NAV) for o in outcomes if NAV in o.stage.makes)


def returns(outcomes: list[Outcome]) -> Frame:
    """Daily returns of the run's book, its benchmark and cash."""
    books = {name: rows.sort_values("date") for name, rows in nav(outcomes).groupby("book")}
    return summary.daily(books["portfolio"], books["benchmark"])


def leave(
    config: Config, known: Mapping[str, Any], outcomes: list[Outcome], report: Path | None
) -> None:
    """Leave what the comparison of a sweep needs of this job, where it evaluated anything.

    known : facts, and the job's number and overrides
    """
    evaluated = [o for o in outcomes if o.stage.name == "evaluate"]
    said, folder = config.evaluation, Path(known["folder"])
    if not evaluated:
        for outcome in outcomes:
            if outcome.stage.name == "model2":
                choices.leave(folder, choice(config, known, outcome))
        return
    own = {k.removeprefix("portfolio."): v for k, v in evaluated[0].metrics.items()
           if k.startswith("portfolio.")}  # fmt: skip
    record = {
        **{k: known[k] for k in ("job", "overrides", "config_hash", "name", "git_sha", "region")},
        "market": ingest.market_id(config),
        "start": str(nav(outcomes)["date"].min().date()),
        "command": logs.redact(known["command"]),
        "simulated": config.data.provider == "sim",
        "periods": config.region.periods,
        "metrics": own,
        "report": str(report or ""),
        "stages": {o.stage.name: o.result.key for o in outcomes},
        "computed": sum(not o.skipped for o in outcomes),
        "kept": sum(o.skipped for o in outcomes),
        "same_idea": said.same_idea,
        "block": said.block,
        "draws": said.bootstrap,
        "seed": config.seed,
        "holdout": {
            "start": said.holdout.start,
            "end": said.holdout.end,
            "read": said.holdout.read,
            "last_seen": config.last_seen,
            "market": ingest.holdout_market(config),
            "ledger": config.paths.holdout,
        },
        "trials": config.paths.trials,
        "reports": config.paths.reports,
    }
    sweep.leave(folder, record, returns(outcomes))


def choice(config: Config, known: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """What a job that ends with the models leaves, see choices.leave."""
    own = config.evaluation.holdout
    return {
        **{k: known[k] for k in ("job", "overrides", "config_hash", "git_sha", "region")},
        "market": ingest.market_id(config),
        "command": logs.redact(known["command"]),
        "simulated": config.data.provider == "sim",
        "models": list(config.model2.models),
        "horizon": config.model2.label.horizon,
        "seconds": outcome.seconds,
        "splits": comb(config.model2.cpcv.n_groups, config.model2.cpcv.n_test),
        "metrics": criteria(outcome),
        "holdout": {
            "start": own.start, "end": own.end, "locked": own.locked,
            "market": ingest.holdout_market(config), "ledger": config.paths.holdout,
        },
        "trials": config.paths.trials,
        "reports": config.paths.reports,
    }  # fmt: skip


def criteria(outcome: Outcome) -> dict[str, float]:
    """Numbers of the cross-validation of the model that stage model2 chose."""
    start = "cpcv."
    return {k.removeprefix(start): v for k, v in outcome.metrics.items() if k.startswith(start)}


def tried_on_labels(config: Config, known: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """The ledger's line of a run that chose models and evaluated no backtest."""
    said = criteria(outcome)
    return {
        "stage": "model2",
        "market": ingest.market_id(config),
        "holdout_market": ingest.holdout_market(config),
        # not the hash of the configuration: as a backtest it has not been tried
        "config_hash": digest_json(["model2", known["config_hash"]])[:12],
        "name": f"{known['name']}, models alone",
        "labels_until": str(outcome.result.read(FOLDS)["predict_start"].min().date()),
        "sharpe_period": said["sharpe"],
        "n_obs": said["periods"],
        "git_sha": known["git_sha"],
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def compare(jobs: Sequence[tuple[Config, Path]], failed: int) -> None:
    """Compare the jobs of a sweep on a page, and say where it is.

    jobs : those that finished, in their order, with their folders; failed : how many did not
    """
    config, first = jobs[0]
    folder = first.parent
    folders, stamp = [f for _, f in jobs], f"{folder.parent.name}_{folder.name}"
    for page in [*sweep.compared(folders, stamp, failed), *choices.compared(folders, stamp)]:
        logs.event(f"comparison: {page}", comparison=str(page))
        tracking.attach(config.tracking, folder, page)
        landing.comparison(config, page)


# tables small enough to look at inside a tracked run
SMALL = ("metrics", "nav", "folds", "cpcv", "calibration", "solves", "bindings",
         "universe_counts", "notes", "tuning", "rl_gate", "rl_safety", "rl_search")  # fmt: skip


def finish(
    tracker: Tracker, config: Config, known: Mapping[str, Any], outcomes: list[Outcome]
) -> Path | None:
    """Log tables, models and pages; publish the pages; record the trial.

    Raises LookAheadError at the very end where an audit found one, GateError where the controller's
    gate was asked for and does not hold, or where a changed value has no line in the changelog.
    """
    from quant import pages

    newest, published = None, {}
    for outcome in outcomes:
        for table in outcome.stage.makes:
            if table.name in SMALL:
                tracker.artifact(outcome.result.path(table.name), "tables")
        if outcome.stage.name == "features":
            tracker.artifact(outcome.result.path("dictionary.md"), "features")
        if outcome.stage.name == "model2":
            ensemble.log(tracker, config, outcomes)
        if outcome.stage.name == "rl_gate":
            judge(tracker, config, known, outcomes)
        if outcome.stage.name == "tune":
            tracker.artifact(outcome.result.path("best.yaml"), "tune")
        if outcome.stage.name == "evaluate":
            record_trial(config, known, outcome, outcomes)
        if outcome.stage.name == "model2" and not any(o.stage.name == "evaluate" for o in outcomes):
            line = tried_on_labels(config, known, outcome)
            trials.record(Path(config.paths.trials), line)
        page = pages.publish(config, known, outcome, tracker.run_id)
        if page:
            tracker.artifact(page, outcome.stage.name)
            newest = published[pages.PAGES[outcome.stage.name][0]] = page
    for outcome in outcomes:
        if outcome.stage.name == "cards":
            tracker.artifact(outcome.result.path("cards"), "cards")
            pages.publish_cards(config, outcome, newest)
    landing.add(config, known, published, outcomes)
    record = bundles.leave(config, known, outcomes)
    if record:
        tracker.artifact(record, "bundle")
    # kilobytes on Linux
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    logs.event(
        "done",
        peak_rss_gib=round(peak, 3),
        hashes={o.stage.name: dict(o.result.hashes) for o in outcomes},
    )
    pages.refuse_look_ahead(outcomes)
    pages.refuse_unlogged(outcomes)
    refuse_failing_gate(config, outcomes)
    return newest
