"""One full report, written once for all tests that only look at it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isthmus.report.context import Picture, ReportContext
from isthmus.report.page import write_report
from tests.made_once import made_once
from tests.report.made import made_context
from tests.report.made_simulated import made_simulated_context


@pytest.fixture(scope="session")
def full_context(tmp_path_factory: pytest.TempPathFactory) -> ReportContext:
    """Return a context in which every section has something to show, a picture too."""
    picture = tmp_path_factory.mktemp("pictures") / "heat.png"
    Image.fromarray(np.zeros((4, 4, 3), dtype=np.uint8)).save(picture)
    return made_context((Picture(picture, "Case <7>", "Heat map of case 7"),))


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, full_context: ReportContext) -> tuple[Path, str]:
    """Return the folder of a full report, and its HTML."""
    return made_once(
        tmp_path_factory, "report", lambda folder: write_report(folder, full_context).read_text(encoding="utf-8")
    )


@pytest.fixture(scope="session")
def simulated_context(tmp_path_factory: pytest.TempPathFactory) -> ReportContext:
    """Return a context of a simulated cohort in which every section has something to show."""
    return made_simulated_context(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="session")
def written_simulated(tmp_path_factory: pytest.TempPathFactory, simulated_context: ReportContext) -> tuple[Path, str]:
    """Return the folder of a full report on a simulated cohort, and its HTML."""
    return made_once(
        tmp_path_factory,
        "simulated",
        lambda folder: write_report(folder, simulated_context).read_text(encoding="utf-8"),
    )
