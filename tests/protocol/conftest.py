"""Two small cohorts in DDTI's layout and one finished smoke run on them, for all tests of a study."""

from pathlib import Path

import pytest

from isthmus.cohort.sources import import_data_set
from isthmus.protocol.run import run
from tests.ddti_tree import write_ddti_tree

SETTINGS = (
    "only=[thyronet_x4, resnet34]",
    "splits.test={fraction: 0.3}",
    "defaults.options.width=8",
    "arms.thyronet_x4.options.groups=4",
)


@pytest.fixture(scope="session")
def cohorts(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("cohorts")
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
    return folder / "own", folder / "other"


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISTHMUS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def finished(cohorts, cache, tmp_path_factory):
    said: list[str] = []
    out = tmp_path_factory.mktemp("runs") / "wang2025"
    result = run("wang2025", cohorts[0], out, external=cohorts[1], profile="smoke", settings=SETTINGS, say=said.append)
    return result, said
