"""One small virtual cohort for all tests that read one."""

from pathlib import Path

import pytest

from isthmus.phantom.simulation import Simulation
from tests.phantom.small import make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """A simulation by two processes."""
    return make(tmp_path_factory.mktemp("made") / "cohort", workers=2)


@pytest.fixture(scope="session")
def made_cohort(made: Simulation) -> Path:
    """Its folder; nobody may change it."""
    return made.folder
