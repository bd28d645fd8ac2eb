"""One small virtual cohort for all tests that read one."""

from pathlib import Path
from typing import Any

import pytest

from isthmus.phantom.simulation import Simulation
from tests.made_once import made_once
from tests.phantom.small import make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """A simulation by two processes."""

    def facts_of(folder: Path) -> dict[str, Any]:
        done = make(folder / "cohort", workers=2)
        return {"manifest": done.manifest, "counts": done.counts, "seconds": done.seconds}

    folder, facts = made_once(tmp_path_factory, "made", facts_of)
    return Simulation(folder=folder / "cohort", **facts)


@pytest.fixture(scope="session")
def made_cohort(made: Simulation) -> Path:
    """Its folder; nobody may change it."""
    return made.folder
