"""Killed at any moment a node loses nothing that it acknowledged and repeats no result; told to stop it ends well."""

from pathlib import Path

import pytest

from tests.clinic.killing import Survival, survive

# pynetdicom's caller leaves the socket of a connection that failed to the collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(ssl|socket):pytest.PytestUnraisableExceptionWarning"
)


def test_nothing_acknowledged_is_lost_and_no_result_repeated(tmp_path: Path):
    found = survive(tmp_path, instances=60, studies=3, kills=1)
    assert found == Survival(kills=2, acknowledged=60, lost=0, studies=3, answered=3, repeated=0, exit_code=0)
