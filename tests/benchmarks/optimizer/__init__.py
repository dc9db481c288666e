"""The daily rebalance, side by side: `python -m tests.benchmarks optimizer [--days 250]`.

Every method runs on one thread, which has to be said before numpy is imported.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
