"""The array and frame aliases that signatures use."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

Vector = npt.NDArray[np.float64]  # (n,)
Matrix = npt.NDArray[np.float64]  # (n_days, n_assets) unless said otherwise
Mask = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]  # datetime64[D], sorted
Codes = npt.NDArray[np.int64]
Frame = pd.DataFrame
Frames = Mapping[str, pd.DataFrame]
