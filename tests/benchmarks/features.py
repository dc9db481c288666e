"""Our features against Qlib's Alpha158 on the same bars, one process each.

Run: python -m tests.benchmarks.features [--names 300] [--days 1000] [--data bars.parquet]
     [--until 2015-12-31] [--alone]

Both start from what they read: ours from the long table of bars, Qlib's from its .bin files.
Processor time is what is compared; wall time stands beside it. With --alone ours runs without
Qlib, for the peak of its memory.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from quant.core.panel import Panel
from quant.data import qlib_store
from quant.features import FIELDS, PRODUCERS, compute
from tests.features import market


def timed(work: Callable[[], object]) -> tuple[float, float, object]:
    """Processor seconds, wall seconds and the result."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return time.process_time() - cpu, time.perf_counter() - wall, result


def bars(options: argparse.Namespace) -> pd.DataFrame:
    """The bars of both: simulated, or the most traded names of a file of raw bars."""
    if options.data is None:
        frame = market.bars(options.days, options.names)
    else:
        frame = pd.read_parquet(options.data)
        frame["date"] = pd.to_datetime(frame["date"])
        frame["symbol"] = frame["symbol"].astype(str).astype(object)
        frame = frame[frame["date"] <= pd.Timestamp(options.until)]
        liquid = frame.groupby("symbol")["amount"].sum().nlargest(options.names).index
        days = np.sort(frame["date"].unique())[-options.days :]
        frame = frame[frame["symbol"].isin(liquid) & frame["date"].isin(days)]
    frame = frame.sort_values(["date", "symbol"]).reset_index(drop=True)
    frame["pre_close"] = frame.groupby("symbol")["close"].shift()
    for name, value in (("limit_up", np.nan), ("limit_down", np.nan), ("is_st", False)):
        if name not in frame:
            frame[name] = value
    return frame


def ours(frame: pd.DataFrame) -> pd.DataFrame:
    """All features of all rows, from the long table."""
    rows = frame[["date", "symbol"]].assign(industry_id="i", group_id="g")
    return compute(Panel.of(frame, FIELDS), rows)


def alpha158(folder: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """The 158 expressions of Qlib's handler, without its processors, caches off."""
    import qlib
    from qlib.contrib.data.loader import Alpha158DL
    from qlib.data import D

    qlib.init(
        provider_uri=str(folder),
        region="us",
        kernels=1,
        joblib_backend="threading",
        expression_cache=None,
        dataset_cache=None,
        logging_level=30,
    )
    fields, names = Alpha158DL.get_feature_config()
    instruments = [qlib_store.instrument(s) for s in np.unique(frame["symbol"])]
    table = D.features(instruments, fields, disk_cache=0)
    table.columns = names
    return table


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=300)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--until", default="2015-12-31", help="last date of --data that is read")
    parser.add_argument("--alone", action="store_true", help="without Qlib")
    options = parser.parse_args()
    frame = bars(options)
    print(f"{frame['symbol'].nunique()} names, {frame['date'].nunique()} days, {len(frame)} rows")
    print(f"{'':14}{'features':>9}{'CPU s':>9}{'wall s':>9}{'CPU ms a feature':>19}")
    each = []
    if not options.alone:
        with tempfile.TemporaryDirectory() as folder:
            store = qlib_store.write(frame, np.unique(frame["date"]), Path(folder) / "qlib", "us")
            each.append(line("Alpha158", lambda: alpha158(store, frame), 158))
    each.append(line("quant.features", lambda: ours(frame), len(PRODUCERS)))
    if not options.alone:
        print(f"times faster per feature: {each[0] / each[1]:.1f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory of the process: {peak:.2f} GiB")


def line(label: str, work: Callable[[], object], count: int) -> float:
    """Print what `count` features took; processor seconds a feature."""
    cpu, wall, _ = timed(work)
    print(f"{label:14}{count:9}{cpu:9.2f}{wall:9.2f}{1e3 * cpu / count:19.1f}")
    return cpu / count


if __name__ == "__main__":
    main()
