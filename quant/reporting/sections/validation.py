"""How the model was trained and chosen: walk-forward folds and combinatorial paths."""

from quant.reporting.blocks import Block, Section, Tabular, cells, empty
from quant.reporting.figures import Strips, figure
from quant.reporting.formats import CORRELATION, count, day, number
from quant.reporting.inputs import ReportInputs
from quant.reporting.lookup import stamp

OPEN_ROWS = 16  # a longer table starts closed


def build(inputs: ReportInputs) -> Section:
    """How the models were chosen, and refitted."""
    blocks = (*cpcv(inputs), *folds(inputs))
    return Section("validation", "How the models were chosen and trained", blocks)


def cpcv(inputs: ReportInputs) -> list[Block]:
    """Distribution over the paths of combinatorial purged cross-validation."""
    frame = inputs.cpcv
    if not len(frame):
        return [empty("No combinatorial cross-validation was run")]
    frame = frame.sort_values(["model", "split", "path", "test_groups"])
    # a row is one split (path -1) or one path (split -1), see the table cpcv
    splits, paths = frame[frame["path"] < 0], frame[frame["path"] >= 0]
    models = sorted(frame["model"].unique())
    strong = [paths.loc[paths["model"] == m, "ic"].to_numpy(float) for m in models]
    faint = [splits.loc[splits["model"] == m, "ic"].to_numpy(float) for m in models]
    chart = Strips("Cross-validation: rank IC of each path", models, strong, faint, CORRELATION)
    drawn = figure(
        "cpcv",
        chart,
        "Strong dots: backtest paths; faint dots: the splits they are put together from; the bar: "
        "mean of the paths. CPCV trains on the future of its test blocks, so it only chooses "
        "between models; nothing of it enters the backtest.",
        height=max(280.0, 56.0 * len(models) + 60),
        stamp=stamp(inputs),
    )
    rows = []
    for model in models:
        mine = paths[paths["model"] == model]
        row = [model, count(len(mine)), count((splits["model"] == model).sum())]
        row += [number(v, 3) for v in (mine["ic"].mean(), mine["ic"].min(), mine["ic"].max())]
        row += [number(mine["icir"].mean()), number(mine["sharpe"].mean())]
        row.append(number(mine["sharpe"].std()))
        rows.append(cells(row))
    table = Tabular(
        "Cross-validation by model",
        (
            *("Model", "Paths", "Splits", "IC", "lowest", "highest", "ICIR", "Sharpe"),
            "sd of Sharpe",
        ),
        tuple(rows),
        "A path tests every date once; the columns are of the paths: mean of the daily rank IC, "
        "its ratio to its deviation, Sharpe ratio of the quantile spread over one horizon. "
        "Training labels that overlap a test block are purged, and an embargo follows its last "
        "label.",
    )
    return [drawn, table]


def folds(inputs: ReportInputs) -> list[Block]:
    """Training windows and seeds of every refit."""
    frame = inputs.folds
    if not len(frame):
        return [empty("There are no walk-forward refits")]
    rows = [
        cells(
            (
                f.fold,
                f"{f.model}, {f.horizon} sessions, draw {f.draw}",
                day(f.train_start),
                day(f.train_end),
                day(f.label_end),
                day(f.predict_start),
                day(f.predict_end),
                count(f.rows),
                f.seed,
            )
        )
        for f in frame.sort_values(["fold", "model", "horizon", "draw"]).itertuples()
    ]
    refits = frame["fold"].nunique()
    return [
        Tabular(
            f"Walk-forward refits and seeds ({refits} refits, {len(rows)} models)",
            (
                *("Fold", "Model", "Train from", "to", "Last label known", "Predict from", "to"),
                *("Rows", "Seed"),
            ),
            tuple(rows),
            "A refit uses labels known before its first prediction, and predicts until the next.",
            texts=7,
            fold=len(rows) > OPEN_ROWS,
        )
    ]
