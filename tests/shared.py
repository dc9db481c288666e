"""The shared reference folder: beside the project in development and CI, absent for users."""

import json
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def need(name: str) -> Path:
    """Path of `name` in the shared folder; skips the calling test, by name, where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(
            f"needs ../shared/{name}, which is beside the project in development and CI only"
        )
    return path


def case(name: str) -> dict:
    """The published reference numbers of that name."""
    return json.loads(need(f"cases/{name}.json").read_text())
