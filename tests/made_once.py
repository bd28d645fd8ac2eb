"""What the workers of one test run all need is made by the first of them that asks, and copied by the others."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> tuple[Path, Any]:
    """Return a folder that only this worker touches, as `make` filled it, and what `make` gave back.

    Parameters
    ----------
    factory : pytest.TempPathFactory
    name : str
        Of the folder; one for each thing that is made.
    make : callable
        Fills the folder that it is given, and returns what JSON can hold.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # the workers' own folders lie in that of the whole run
    place = base / "made-once" / name
    place.parent.mkdir(exist_ok=True)
    told = place.with_name(f"{name}.json")
    with FileLock(place.with_name(f"{name}.lock")):
        if not told.is_file():
            shutil.rmtree(place, ignore_errors=True)  # of a worker that failed at it
            place.mkdir()
            told.write_text(json.dumps(make(place)), encoding="utf-8")
    own = factory.mktemp(name) / "own"
    shutil.copytree(place, own)
    return own, json.loads(told.read_text(encoding="utf-8"))
