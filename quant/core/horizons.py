"""The labels of one horizon."""

from quant.core.errors import DataError
from quant.core.types import Frame


def at(labels: Frame, horizon: int) -> Frame:
    """Rows of LABELS over `horizon` sessions, without the column.

    Raises DataError where there is none: not computed, or longer than the data.
    """
    rows = labels["horizon"] == horizon
    if not rows.any():
        known = sorted(int(h) for h in labels["horizon"].unique())
        raise DataError(
            f"no label over {horizon} sessions is known (there are some over {known or 'none'}): "
            "lengthen the sample, shorten the horizon, or name it in model2.label.horizons."
        )
    return labels.loc[rows].drop(columns="horizon").reset_index(drop=True)
