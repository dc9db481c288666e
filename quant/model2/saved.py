"""The fitted ensemble as one folder of plain data, and what scores rows by it again.

    ensemble.json   : features in order, refits with their members, seeds and training windows,
                      calibration curves, definition of the label, digests of the tables of the run
    members/        : one file a member and refit, in the learner's own text or binary JSON
    alpha.parquet   : ALPHA table of the run, to compare with

Nothing in it is code. `mlflow.pyfunc` loads it through `_load_pyfunc`.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quant.core import tables
from quant.core.errors import DataError, StoreError
from quant.core.types import Frame
from quant.model2 import calibration, learners, scores
from quant.model2.curve import Curve
from quant.model2.design import KEY, Rows
from quant.model2.models import Member, Model

RECORD, MEMBERS, ALPHA = "ensemble.json", "members", "alpha.parquet"
FORMAT = 2
INDUSTRY = "industry_id"  # optional column of the input: with it there are alphas


def write(
    folder: Path,
    models: Path,
    folds: Frame,
    curves: Frame,
    alpha: Frame,
    features: tuple[str, ...],
    facts: Mapping[str, Any],
) -> Path:
    """Put the ensemble of a run into the new `folder`, and return it.

    models   : folder with a file a member and fold, as stage model2 leaves it
    folds, curves, alpha : FOLDS, CALIBRATION and ALPHA tables of the run
    features : names in the order in which the models take them
    facts    : JSON-able: region, seed, label, data (table -> sha256), settings, made
    """
    (folder / MEMBERS).mkdir(parents=True)
    refits = []
    for number, rows in folds.groupby("fold"):
        members = [_member(models, folder / MEMBERS, row) for row in rows.itertuples()]
        share = scores.weights([_named(one) for one in members])
        refits.append({
            "fold": int(number),
            "start": _day(rows["predict_start"].iloc[0]),
            "members": [{**m, "weight": float(w)} for m, w in zip(members, share, strict=True)],
            "curve": _curve(curves[curves["fold"] == number]),
        })  # fmt: skip
    tables.ALPHA.write(alpha, folder / ALPHA)
    names = alpha.groupby("date").size()
    record = {
        "format": FORMAT,
        **facts,
        "features": list(features),
        "refits": refits,
        "alpha": _digest(folder / ALPHA),
        "names": {_day(day): int(count) for day, count in names.items()},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1))
    return folder


def _member(models: Path, target: Path, row: Any) -> dict[str, Any]:
    """Copy one member's file, and say what it is."""
    member = Member(row.model, int(row.horizon), int(row.draw))
    found = sorted(models.glob(f"fold{row.fold:03d}-{member.name}.*"))
    if len(found) != 1:
        raise StoreError(
            f"{models} has {len(found)} files of member {member.name} of refit {row.fold}, not "
            "one; delete the folder of that result and run again: it will be made anew."
        )
    shutil.copyfile(found[0], target / found[0].name)
    return {
        "model": member.model,
        "horizon": member.horizon,
        "draw": member.draw,
        "seed": int(row.seed),
        "file": found[0].name,
        "sha256": _digest(found[0]),
        "train": [_day(row.train_start), _day(row.train_end)],
        "label_end": _day(row.label_end),
        "rows": int(row.rows),
    }


def _curve(rows: Frame) -> dict[str, Any] | None:
    if rows.empty:
        return None
    rows = rows.sort_values("bin")
    told = {name: rows[name].tolist() for name in ("score", "realised", "alpha", "rows")}
    return told | {"factors": rows[list(calibration.FACTORS)].iloc[0].tolist()}


def _named(one: Mapping[str, Any]) -> Member:
    return Member(one["model"], one["horizon"], one["draw"])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _intact(path: Path, digest: str) -> Path:
    """`path`, whose content must be that of `digest`; else StoreError."""
    if not path.is_file() or _digest(path) != digest:
        raise StoreError(f"{path} is missing or was changed; fetch or log the model again.")
    return path


def _day(value: Any) -> str:
    return str(pd.Timestamp(value).date())


@dataclass(frozen=True)
class Refit:
    """One refit: the first session it scores, its members, and its calibration, if there is one."""

    fold: int
    start: np.datetime64
    members: tuple[Member, ...]
    models: tuple[Model, ...]
    curve: Curve | None


@dataclass(frozen=True)
class Ensemble:
    """What `load` returns: scores rows of FEATURES by the refit that is in force on their date.

    folder : where it lies; record : its ensemble.json
    """

    folder: Path
    record: Mapping[str, Any]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(self.record["features"])

    @property
    def starts(self) -> np.ndarray:
        """(n_refits,) datetime64[D], the first session that each refit scores."""
        days = [one["start"] for one in self.record["refits"]]
        return np.array(days, dtype="datetime64[D]")

    @property
    def last(self) -> np.datetime64:
        """Last session of the run; later ones are scored by its last refit."""
        return max(np.datetime64(day, "D") for day in self.record["names"])

    def alpha(self) -> Frame:
        """ALPHA table of the run."""
        return tables.ALPHA.read(_intact(self.folder / ALPHA, self.record["alpha"]))

    def predict(self, frame: Frame, params: Mapping[str, Any] | None = None) -> Frame:
        """Score whole sessions; a row's rank is among the names of its session.

        frame   : FEATURES rows in any order: date, symbol and the features, float32, NaN where
                  missing; with `industry_id` too there are alphas, else they are NaN. Other
                  columns are ignored.
        Returns : date, symbol, score, uncertainty (unitless), alpha (expected residual return over
                  the label's horizon, decimal; NaN before the first calibration), fold; rows in
                  the order and with the index of `frame`
        Raises  : DataError for missing columns, other types, double rows, a session before the
                  first refit, or one that is not whole
        """
        day = self._check(frame)
        order = np.lexsort((pd.factorize(frame["symbol"], sort=True)[0], day))
        day = day[order]
        self._whole(day)
        part = frame.iloc[order]
        fold = np.searchsorted(self.starts, day, side="right") - 1
        edges = np.flatnonzero(np.r_[True, np.diff(fold) != 0, True])
        made = [
            self._scored(self._refit(int(fold[begin])), part.iloc[begin:stop], day[begin:stop])
            for begin, stop in zip(edges[:-1], edges[1:], strict=True)
        ]
        return pd.concat(made, ignore_index=True).iloc[np.argsort(order)].set_axis(frame.index)

    def _scored(self, refit: Refit, part: Frame, day: np.ndarray) -> Frame:
        columns = tuple(part[name].to_numpy() for name in self.features)
        sessions, first = np.unique(day, return_index=True)
        starts = np.r_[first, day.size]
        symbols, none = part["symbol"].to_numpy(), np.empty(0)
        codes = none.astype(np.int64)
        rows = Rows(
            self.features, columns, symbols, sessions, starts, none, none, codes, none, codes
        )
        x = rows.standardised(0, sessions.size - 1)
        score, uncertainty = scores.ensemble(
            refit.members, [one.predict(x) for one in refit.models], starts
        )
        alpha = np.full(day.size, np.nan)
        if refit.curve is not None and INDUSTRY in part:
            industry = pd.factorize(part[INDUSTRY])[0].astype(np.int64)
            alpha = calibration.alphas(refit.curve, score, uncertainty, rows.session, industry)
        return pd.DataFrame(
            {
                "date": day.astype("datetime64[ns]"),
                "symbol": symbols,
                "score": score,
                "uncertainty": uncertainty,
                "alpha": alpha,
                "fold": np.int64(refit.fold),
            }
        )

    def _refit(self, number: int) -> Refit:
        return _refit(self.folder, json.dumps(self.record["refits"][number]))

    def _check(self, frame: Frame) -> np.ndarray:
        """(n_rows,) datetime64[D] of the rows; DataError where the frame is not of features."""
        missing = [c for c in (*KEY, *self.features) if c not in frame]
        if missing or not len(frame):
            raise DataError(
                f"the model needs rows with date, symbol and {len(self.features)} features; this "
                f"frame has {len(frame)} rows and lacks {missing[:5]}: give rows of the FEATURES "
                "table."
            )
        if frame["date"].dtype.kind != "M":
            raise DataError(f"date is {frame['date'].dtype}; make it datetime64.")
        wrong = [c for c in self.features if frame[c].dtype != np.float32]
        if wrong:
            raise DataError(
                f"{len(wrong)} features are not float32, the first is {wrong[0]}, "
                f"{frame[wrong[0]].dtype}; features are float32: cast them, ranks depend on it."
            )
        keys = [c for c in (*KEY, INDUSTRY) if c in frame and frame[c].isna().any()]
        if keys:
            raise DataError(f"{keys} have nulls; every row needs them.")
        twice = frame.duplicated(list(KEY))
        if twice.any():
            row = frame[twice].iloc[0]
            raise DataError(f"{row['symbol']} has two rows on {_day(row['date'])}; keep one.")
        day = frame["date"].to_numpy().astype("datetime64[D]")
        if day.min() < self.starts[0]:
            raise DataError(
                f"the frame begins on {day.min()}, before the first refit on {self.starts[0]}, "
                "which no model of this ensemble may score; leave those rows out."
            )
        return day

    def _whole(self, day: np.ndarray) -> None:
        """Raise DataError where a session is not whole.

        A session of the run must have as many names as it had then; a later one at least half of
        the fewest, for its number is not known.
        """
        known = self.record["names"]
        least = min(known.values()) / 2
        for one, count in zip(*np.unique(day, return_counts=True), strict=True):
            then = known.get(str(one))
            if (then is None and count < least) or (then is not None and count != then):
                wanted = f"at least {least:g}" if then is None else f"{then}"
                raise DataError(
                    f"{one} has {count} names and should have {wanted}: names are ranked within "
                    "their session, so that part of one gets other scores; give all its rows."
                )


@lru_cache(maxsize=2)
def _refit(folder: Path, text: str) -> Refit:
    """Read the members of one refit; the last two are kept."""
    told = json.loads(text)
    models = []
    for one in told["members"]:
        models.append(learners.load(_intact(folder / MEMBERS / one["file"], one["sha256"])))
    curve = told["curve"] and Curve(
        *(np.array(told["curve"][k], dtype=np.float64) for k in ("score", "realised", "alpha")),
        np.array(told["curve"]["rows"], dtype=np.int64),
        np.nan,
        np.array(told["curve"]["factors"], dtype=np.float64),
    )
    return Refit(
        told["fold"],
        np.datetime64(told["start"], "D"),
        tuple(_named(one) for one in told["members"]),
        tuple(models),
        curve,
    )


def find(folder: Path) -> Path:
    """Where the ensemble lies in the folder of a model: the folder itself, or under its data."""
    found = sorted(folder.glob(f"data/*/{RECORD}"))
    return found[0].parent if found else folder


def load(folder: Path) -> Ensemble:
    """The ensemble that `write` left in `folder`. Raises StoreError where there is none."""
    try:
        record = json.loads((folder / RECORD).read_text())
        told = record["format"]
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"{folder} holds no readable {RECORD} ({type(error).__name__}); name a model that a "
            "run logged, or its folder."
        ) from error
    if told != FORMAT:
        raise StoreError(f"{folder} is of format {told}, not {FORMAT}; log the model again.")
    return Ensemble(folder, record)


def _load_pyfunc(path: str) -> Ensemble:
    """What `mlflow.pyfunc.load_model` calls."""
    return load(Path(path))
