"""What the comparison of a sweep's jobs is drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from quant.core.errors import ReportError
from quant.core.types import Dates, Frame, Vector

# columns that the frames must have; the first job is the base
COLUMNS = {
    "jobs": (
        *("job", "label", "config_hash", "sharpe", "sharpe_gross", "ann_return", "ann_vol"),
        *("max_drawdown", "turnover_ann", "cost_bp_ann", "dsr", "report"),
    ),
    "pairs": (
        *("book", "other", "difference", "low", "high", "p_value", "detectable", "n_obs"),
        "verdict",
    ),
}


@dataclass(frozen=True)
class ComparisonInputs:
    """Everything that the page shows.

    jobs       : one row a job; label: what it changed, unique; units as in the metrics table;
                 report: path of its report as seen from this page, or empty
    pairs      : COMPARISONS of the job `book` with the base `other`, both by label
    curves     : label -> dates (n_days,), NAV (n_days,)
    periods    : sessions a year
    n_configs  : configurations in this sweep, n_effective: ideas among them
    pbo        : probability of backtest overfitting, None where there are too few configurations
    """

    title: str
    region: str
    git_sha: str
    command: str
    periods: int
    jobs: Frame
    pairs: Frame
    curves: Mapping[str, tuple[Dates, Vector]] = field(default_factory=dict)
    n_configs: int = 0
    n_effective: int = 0
    pbo: float | None = None
    simulated: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, columns in COLUMNS.items():
            frame: pd.DataFrame = getattr(self, name)
            missing = [c for c in columns if c not in frame.columns]
            if missing and (name == "jobs" or len(frame)):
                raise ReportError(
                    f"comparison frame {name} lacks {missing}; it needs {list(columns)}: "
                    "pass one row a job, and one a pair."
                )
        if not len(self.jobs):
            raise ReportError("a comparison has no jobs; it needs one or more, the base first.")
        twice = self.jobs["label"][self.jobs["label"].duplicated()]
        if len(twice):
            raise ReportError(
                f"two jobs are called {twice.iloc[0]!r}; a label names one job: "
                "put what tells them apart into it."
            )

    @property
    def base(self) -> str:
        """Label of the first job, which the others are compared with."""
        return str(self.jobs["label"].iloc[0])

    @property
    def against_base(self) -> Frame:
        """Pairs whose other side is the base."""
        return self.pairs[self.pairs["other"] == self.base] if len(self.pairs) else self.pairs

    @property
    def ranked(self) -> Frame:
        """The base, then the other jobs, the highest Sharpe ratio first."""
        jobs = self.jobs.sort_values(["sharpe", "job"], ascending=[False, True])
        first = jobs["label"] == self.base
        return pd.concat([jobs[first], jobs[~first]])

    def sharpe(self, label: str) -> float:
        """Annualised Sharpe ratio of a job."""
        return float(self.jobs.set_index("label")["sharpe"][label])
