"""Settings of Model 2 searched for, on labels that are older than the first prediction.

It decides nothing by itself, so it is no part of `e2e`: what it finds is an override to give, or a
file to put under conf/. Every trial is a line of the ledger as soon as it ends.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant.core import git, horizons, logs, sources, tables
from quant.core.panel import sessions_of
from quant.core.store import digest_json
from quant.core.types import Dates, Frame
from quant.evaluation import metrics
from quant.governance import trials
from quant.model2 import candidate, criterion, space, train, tuning
from quant.model2.tuning import COMPLETE, FAILED, SearchSpec, Tried
from quant.stages import model2
from quant.stages.registry import Context, Inputs, Stage, plain

if TYPE_CHECKING:
    from quant.settings import Config, Model2

BEST = "best.yaml"
# first part of a setting's name -> the models that know it
OWNERS = {"ridge_penalty": {"ridge"}, "boost": {"lightgbm", "xgboost"}, "mlp": {"mlp"}}


@dataclass(frozen=True)
class Desk:
    """Where a search keeps what it finds: the file of studies, and the ledger of trials.

    market : `market` and `holdout_market`, as the ledger names them
    """

    studies: Path
    ledger: Path
    market: Mapping[str, str]


def settings(config: "Config") -> dict[str, Any]:
    """What is searched, in which space, and what decides the sample."""
    said = model2.settings(config)
    return {**said, "tune": config.tune, "same_idea": config.evaluation.same_idea}


def desk(config: "Config") -> Desk:
    """Paths, and the names of the market."""
    from quant.stages import ingest

    market = {
        "market": ingest.market_id(config),
        "holdout_market": ingest.holdout_market(config),
    }
    return Desk(Path(config.paths.tune), Path(config.paths.trials), market)


def dials(tree: Mapping[str, Any], m: "Model2") -> tuple[space.Dial, ...]:
    """The dials of the space that concern the models of `m`. Raises ConfigError for none."""
    found, models = space.dials(tree, m.searchable()), set(m.models)
    used = [d for d in found if models & OWNERS[d.name.split(".")[0]]]
    idle = sorted({d.name for d in found} - {d.name for d in used})
    if idle:
        logs.event(f"tune: {', '.join(idle)} left out: no model of {sorted(models)} knows them")
    return space.some(used)


def run(s: Mapping[str, Any], f: Inputs, c: Context) -> Mapping[str, Frame]:
    """Search, deflate every trial by all of them, and say which settings are best."""
    own: Desk = c.private
    m, days = s["model2"], sessions_of(f["sessions"])
    wanted = dials(s["tune"].space, m)
    spec, cv, _ = model2.specs(s)
    labels = f["labels"]
    end = train.first_prediction(horizons.at(labels, spec.horizon), days, spec)
    model2.require_before(end, s["holdout"])
    sample = candidate.Sample.of(f["features"], labels, days, spec, cv, end)
    name = _name(s, sample, wanted, own.market, c.seed)
    search = SearchSpec(
        s["tune"].trials, s["tune"].random, s["tune"].prune, sample.sessions.size,
        cv.groups, cv.test_groups, candidate.stride(spec),
    )  # fmt: skip
    logs.event(f"tune: study {name}, on labels known by {end}", study=name, file=str(own.studies))
    tick = c.tick("tune")

    def evaluate(parameters: tuning.Parameters) -> Iterator[criterion.Tested]:
        spec, cv, _ = model2.specs({**s, "model2": replace(m.having(parameters), draws=1)})
        return candidate.splits_of(sample, spec, cv, c.seed)

    done: list[Tried] = []

    def heard(tried: Tried) -> None:
        done.append(tried)
        own_line = line(tried, search, name, end) | own.market
        series = criterion.worth(tried.passes, search.stride).series
        trials.record(own.ledger, own_line, criterion.returns(sample.sessions, series))
        tick(min(len(done), search.trials), search.trials)

    first = present(wanted, m)
    found = tuning.search(evaluate, wanted, search, first, c.seed, own.studies, name, heard)
    made, luck = table(found, search, sample.sessions, s["same_idea"])
    # one that was given up was seen on fewer paths: it may look good by luck
    best = made.loc[made["dsr_score"].where(made["state"] == COMPLETE).idxmax()]
    c.metrics["tune.present"] = float(first is not None)
    _say(made, best, luck, c, end)
    (c.scratch / BEST).write_text(as_yaml(json.loads(best["parameters"]), name, end))
    return {"tuning": made.drop(columns="dsr_score")}


def present(wanted: Sequence[space.Dial], m: "Model2") -> tuning.Parameters | None:
    """The settings as they stand, where the search could draw them."""
    flat = space.flat(m.searchable())
    outside = [d.name for d in wanted if not d.holds(flat[d.name])]
    if outside:
        logs.event(
            f"tune: the settings as they stand are not tried first: {', '.join(outside)} lie "
            "outside tune.space"
        )
        return None
    return {d.name: flat[d.name] for d in wanted}


def _name(
    s: Mapping[str, Any],
    sample: candidate.Sample,
    wanted: Sequence[space.Dial],
    market: Mapping[str, str],
    seed: int,
) -> str:
    """Name of the study: a digest of all that makes its trials comparable; not of their number."""
    rules = {"random": s["tune"].random, "prune": s["tune"].prune, "seed": seed}
    code = [sources.fingerprint(f"quant.model2.{part}") for part in ("candidate", "tuning")]
    dialled = [asdict(dial) for dial in wanted]
    parts = [market, sample.digest(), dialled, plain(s["model2"]), rules, code]
    return digest_json([*parts, sources.environment()])[:12]


def line(tried: Tried, search: SearchSpec, study: str, end: np.datetime64) -> dict[str, Any]:
    """The ledger's line of a trial, without its market.

    sharpe_period is of the quantile spread over one label period, not of a book a session.
    """
    worth = criterion.worth(tried.passes, search.stride)
    return {
        "stage": "tune",
        "study": study,
        "config_hash": digest_json([study, tried.parameters])[:12],
        "name": f"tune-{study}-{tried.number}",
        "parameters": dict(tried.parameters),
        "state": tried.state,
        "labels_until": str(end),
        "sharpe_period": worth.shape.sharpe,
        "n_obs": worth.shape.n,
        "git_sha": git.sha(),
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def table(
    found: Sequence[Tried], search: SearchSpec, days: Dates, same_idea: float
) -> tuple[Frame, criterion.Deflated]:
    """TUNING rows, and the deflation of the whole study.

    Beside the columns of the table: dsr_score, the probit of DSR, which orders what DSR rounds to 1
    """
    worths = {t.number: criterion.worth(t.passes, search.stride) for t in found if t.passes}
    numbers = list(worths)
    luck = criterion.deflate([worths[k] for k in numbers], days, same_idea)
    then = [
        criterion.deflate([worths[k] for k in numbers[: i + 1]], days, same_idea).dsr[i]
        for i in range(len(numbers))
    ]
    place = {k: i for i, k in enumerate(numbers)}
    rows = []
    for tried in found:
        row = {
            "number": tried.number,
            "state": tried.state,
            "parameters": json.dumps(dict(tried.parameters)),
            "seconds": tried.seconds,
            "splits": tried.splits,
            "periods": 0,
            "idea": 0,
        }
        if tried.state != FAILED:
            worth, i = worths[tried.number], place[tried.number]
            row |= {
                "rank_ic": worth.rank_ic,
                "icir": worth.icir,
                "sharpe": worth.shape.sharpe,
                "periods": worth.shape.n,
                "score": worth.score,
                "psr": metrics.psr(worth.shape),
                "dsr_then": then[i],
                "dsr": luck.dsr[i],
                "dsr_score": luck.score[i],
                "dsr_each": luck.dsr_each[i],
                "idea": luck.idea[i],
            }
        rows.append(row)
    return pd.DataFrame(rows), luck


def override(parameters: tuning.Parameters) -> str:
    """The settings as words of a command line."""
    return " ".join(f"model2.{name}={value}" for name, value in parameters.items())


def as_yaml(parameters: tuning.Parameters, study: str, end: np.datetime64) -> str:
    """The settings as a file that may be put under conf/experiment.

    end : the session by whose known labels they were chosen
    """
    import yaml

    tree: dict[str, Any] = {}
    for name, value in parameters.items():
        *path, key = name.split(".")
        group = tree
        for part in path:
            group = group.setdefault(part, {})
        group[key] = value
    head = (
        "# @package _global_\n"
        f"# Best of study {study}, by labels known on {end}; as conf/experiment/<name>.yaml it is "
        "chosen by experiment=<name>.\n"
    )
    return head + yaml.safe_dump({"model2": tree}, sort_keys=False)


def _say(made: Frame, best: Any, luck: criterion.Deflated, c: Context, end: np.datetime64) -> None:
    """Tracked numbers, and the override to give."""
    states = made["state"].value_counts()
    c.metrics.update({f"tune.{state}": float(n) for state, n in states.items()})
    shown = ("number", "rank_ic", "icir", "sharpe", "psr", "dsr", "dsr_each")
    c.metrics.update({f"tune.best.{name}": float(best[name]) for name in shown})
    c.metrics["tune.ideas"] = float(luck.n)
    c.metrics["tune.expected_max_sharpe"] = luck.best
    text = override(json.loads(best["parameters"]))
    logs.event(
        f"tune: trial {best['number']} is best, DSR {best['dsr']:.3f} by {luck.n} ideas of "
        f"{int((made['state'] != FAILED).sum())} trials: {text}",
        labels_until=str(end),
    )


STAGE = Stage(
    "tune",
    needs=(tables.FEATURES, tables.LABELS, tables.SESSIONS),
    makes=(tables.TUNING,),
    files=(BEST,),
    settings=settings,
    private=desk,
    run=run,
    module=__name__,
)
