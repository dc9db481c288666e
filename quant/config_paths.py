"""Where conf/ lies, for those who must not import Hydra."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
CONF = PROJECT / "conf"
