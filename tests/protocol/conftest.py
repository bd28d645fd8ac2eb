"""Finished smoke runs, each for several files: two small cohorts in DDTI's layout, and one of three modalities."""

from pathlib import Path
from typing import NamedTuple

import pytest

from isthmus.cohort.sources import import_data_set
from isthmus.protocol.run import run
from isthmus.protocol.run_folder import Run
from tests.ddti_tree import write_ddti_tree
from tests.made_once import made_once
from tests.multimodal_cohort import write_multimodal_cohort

SETTINGS = (
    "only=[thyronet_x4, resnet34]",
    "splits.test={fraction: 0.3}",
    "defaults.options.width=8",
    "arms.thyronet_x4.options.groups=4",
)


@pytest.fixture(scope="session")
def cohorts(tmp_path_factory) -> tuple[Path, Path]:
    def make(folder: Path) -> None:
        for name, seed in (("own", 0), ("other", 1)):
            write_ddti_tree(folder / f"{name}-tree", 36, seed=seed)
            import_data_set("ddti", folder / f"{name}-tree", folder / name)
        description = folder / "other" / "cohort.yaml"
        description.write_text(
            description.read_text(encoding="utf-8").replace("name: ", "name: Another, ", 1), encoding="utf-8"
        )
        # Cases are numbered alike in both trees: they are other patients of another hospital.
        patients = folder / "other" / "patients.csv"
        patients.write_text(patients.read_text(encoding="utf-8").replace("DDTI", "Elsewhere"), encoding="utf-8")

    folder, _ = made_once(tmp_path_factory, "cohorts", make)
    return folder / "own", folder / "other"


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISTHMUS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def finished(cohorts, cache, tmp_path_factory):
    def make(folder: Path) -> list[str]:
        said: list[str] = []
        out, (own, other) = folder / "wang2025", cohorts
        run("wang2025", own, out, external=other, profile="smoke", settings=SETTINGS, say=said.append)
        return said

    folder, said = made_once(tmp_path_factory, "runs", make)
    return Run(folder / "wang2025"), said


class Multimodal(NamedTuple):
    """A run of `ding2026` with every way to join."""

    run: Run
    said: list[str]
    cohort: Path
    elsewhere: Path


@pytest.fixture(scope="session")
def multimodal(cache: None, tmp_path_factory: pytest.TempPathFactory) -> Multimodal:
    """B-mode and elastography alone, pooled, by branches and late; met by a cohort without elastography."""
    settings = ["only=[bmode, swe, pooled, branches, late]", "fusions.late.fuse=[bmode, swe]", "explain.cases=3"]
    settings += ["arms.branches.predict.flips=true", "splits.tune=0.4"]

    def make(folder: Path) -> list[str]:
        own = write_multimodal_cohort(folder / "own", 36)
        other = write_multimodal_cohort(folder / "other", 8, name="elsewhere", modalities=("bmode", "smi"))
        said: list[str] = []
        run("ding2026", own, folder / "run", external=other, profile="smoke", settings=settings, say=said.append)
        return said

    folder, said = made_once(tmp_path_factory, "multimodal", make)
    return Multimodal(Run(folder / "run"), said, folder / "own", folder / "other")
