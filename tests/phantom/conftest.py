"""One small virtual cohort for all tests that read one."""

from pathlib import Path

import pytest

from tests.phantom.small import make


@pytest.fixture(scope="session")
def made_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished cohort, made by two processes; nobody may change it."""
    return make(tmp_path_factory.mktemp("made") / "cohort", workers=2).folder
