"""Fixtures shared by every room: where the real data lie."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every machine, and no verdict by the clock: a busy machine is no fault of the code.
settings.register_profile(
    "isthmus", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("isthmus")

os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder of real ultrasound data, or skip with the reason."""
    named = os.environ.get("ISTHMUS_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set ISTHMUS_DATA to the folder that holds ddti/, us_dicom/, weights/")
    return folder
