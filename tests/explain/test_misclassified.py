"""Every wrong call is listed, most confident first, with what the cohort says of the case."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isthmus.explain import kept_pictures, misclassified
from isthmus.explain.misclassified import described
from isthmus.imaging.cache import PreparedStore
from tests.explain.test_held_out import VIEWS, cohort, explain  # noqa: F401  (the fixture)

NODULES = pd.DataFrame(
    {
        "nodule_id": [f"n{number}" for number in range(6)],
        "composition": ["solid", None, "cystic", "solid", "solid", "mixed"],
        "echogenic_foci": ["punctate macrocalcifications", "none", None, "none", "none", "none"],
        "size_mm": [12.0, float("nan"), 7.5, 20.0, 31.0, 8.0],
    }
)


@pytest.fixture
def explained(cohort: tuple[pd.DataFrame, PreparedStore], tmp_path: Path):  # noqa: F811
    return explain(cohort, tmp_path, nodules=NODULES), tmp_path


def test_every_wrong_call_has_a_picture_and_a_line_the_most_confident_first(explained):
    found, folder = explained
    rows = found.localisation
    wrong = rows[rows["label"] != rows["call"]]
    index = pd.read_csv(folder / "misclassified.csv", dtype={"label": str, "call": str})
    assert sorted(index["view_id"]) == sorted(wrong["view_id"])
    span = np.where(index["call"] == "1", 1 - index["threshold"], index["threshold"])
    gone = (index["probability"] - index["threshold"]).abs() / span
    assert (gone.diff().dropna() <= 1e-12).all()
    assert len(found.wrong) == len(index)
    for file in index["file"]:
        with Image.open(folder / file) as picture:
            assert picture.width == 452
            assert picture.height > 224
    first = found.wrong[0]
    assert "probability" in first.words
    assert "threshold" in first.words
    assert "label" in first.words


def test_the_index_and_the_words_have_the_descriptors(explained):
    _, folder = explained
    index = pd.read_csv(folder / "misclassified.csv").set_index("nodule_id")
    for nodule, composition in NODULES[["nodule_id", "composition"]].itertuples(index=False):
        if nodule in index.index and composition is not None:
            assert index.loc[nodule, "composition"] == composition
            assert "composition" in index.loc[nodule, "descriptors"]


def test_descriptors_are_said_in_the_vocabularys_words():
    words = described(NODULES.iloc[0].to_dict())
    assert words == (
        "composition solid or almost completely solid; echogenic foci punctate echogenic foci (microcalcifications) "
        "and macrocalcifications; 12 mm"
    )
    assert described({}) == "no descriptor recorded"


def test_pictures_beyond_the_cap_are_listed_without_a_file(
    cohort: tuple[pd.DataFrame, PreparedStore],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(misclassified, "MOST", 1)
    monkeypatch.setattr(kept_pictures, "MOST", 4)
    explain(cohort, tmp_path)
    index = pd.read_csv(tmp_path / "misclassified.csv")
    assert index["file"].notna().sum() == 1
    assert len(list((tmp_path / "misclassified").iterdir())) == 1
    table = pd.read_csv(tmp_path / "localisation.csv")
    assert table["picture"].notna().sum() == 4


def test_the_pictures_kept_are_the_crops_that_the_networks_saw(
    cohort: tuple[pd.DataFrame, PreparedStore],  # noqa: F811
    tmp_path: Path,
):
    explain(cohort, tmp_path)
    _, store = cohort
    table = pd.read_csv(tmp_path / "localisation.csv").set_index("view_id")
    pictures = np.load(tmp_path / "pictures.npy")
    for view in VIEWS:
        whole = store.pixels[store.rows([view])][0, 0]
        # The middle 64 of 72 pixels.
        assert np.array_equal(pictures[int(table.loc[view, "picture"])], whole[4:68, 4:68])
