"""The folder of a fused model's head: the same probabilities after reading, and nothing altered is read."""

import copy
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isthmus.errors import BundleError
from isthmus.models.fused import FusedHead
from isthmus.models.fused_classifier import read_model
from isthmus.models.skops_file import to_skops
from isthmus.training.fusion import FusionSettings, fit_head, fit_heads
from isthmus.training.fusion_classifiers import CLASSIFIERS
from tests.training.made_features import COLUMNS, made_features

MADE = made_features(40)


@pytest.fixture(scope="module")
def heads() -> dict[str, FusedHead]:
    settings = FusionSettings(pca=6, lasso=None)
    found = fit_heads(MADE.features, MADE.labels, MADE.groups, COLUMNS, list(CLASSIFIERS), settings, 0)
    return {name: one.head for name, one in found.items()}


@pytest.fixture(scope="module")
def files(heads: dict[str, FusedHead]) -> dict[str, tuple[str, bytes]]:
    return {name: head.classifier.file() for name, head in heads.items()}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_head_fitted_and_read_again_leaves_the_same_files_and_gives_the_same_bytes(
    name: str, heads: dict[str, FusedHead], files: dict[str, tuple[str, bytes]], tmp_path: Path
) -> None:
    settings = FusionSettings(pca=6, lasso=None)
    fit_head(MADE.features, MADE.labels, MADE.groups, COLUMNS, name, settings, 0).head.write(tmp_path / "head")
    file, content = files[name]
    assert (tmp_path / "head" / file).read_bytes() == content
    again = FusedHead.read(tmp_path / "head")
    features = np.where(np.random.default_rng(0).random(MADE.features.shape) < 0.1, np.nan, MADE.features)
    assert again.probabilities(features).tobytes() == heads[name].probabilities(features).tobytes()
    assert (again.columns, again.names) == (heads[name].columns, heads[name].names)


def test_no_examples_give_no_probabilities(heads: dict[str, FusedHead]) -> None:
    assert heads["mlp"].probabilities(np.zeros((0, len(COLUMNS)))).shape == (0,)


class TestReading:
    @pytest.fixture
    def folder(self, heads: dict[str, FusedHead], tmp_path: Path) -> Path:
        heads["logistic"].write(tmp_path)
        return tmp_path

    def test_refuses_an_altered_classifier(self, folder: Path) -> None:
        file = folder / "classifier.skops"
        file.write_bytes(file.read_bytes() + b" ")
        with pytest.raises(BundleError, match=r"altered or damaged .*classifier\.skops"):
            FusedHead.read(folder)

    @pytest.mark.parametrize("file", ["head.json", "classifier.skops"])
    def test_names_a_file_that_is_missing(self, folder: Path, file: str) -> None:
        (folder / file).unlink()
        with pytest.raises(BundleError, match=f"missing .*{file}"):
            FusedHead.read(folder)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"selected": [99]}, "expected selected features 0 to 5"),
            ({"kept": [-1]}, "expected kept features 0 to 21"),
            ({"means": [0.0]}, "expected 22 means"),
            ({"rotation": [[1.0]]}, "expected principal axes of 22"),
            ({"indicators": [["absent:ceus", 40]]}, "expected indicators of columns 0 to 21"),
            ({"selected": [0, 1]}, "takes 6 features .*expected 2"),
            ({"format": "isthmus-fused-head/2.0"}, "newer than this Isthmus reads"),
            ({"more": 1}, "more: Extra inputs"),
        ],
    )
    def test_refuses_a_head_that_contradicts_itself(self, folder: Path, change: dict[str, Any], message: str) -> None:
        path = folder / "head.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(BundleError, match=message):
            FusedHead.read(folder)

    def test_reads_no_file_outside_its_folder(self, folder: Path) -> None:
        path = folder / "head.json"
        content = json.loads(path.read_text())
        content["classifier"]["file"] = "../../etc/passwd"
        path.write_text(json.dumps(content))
        with pytest.raises(BundleError, match=f"missing .*{folder.name}/passwd"):
            FusedHead.read(folder)


def test_a_classifier_of_another_type_is_refused_and_no_foreign_type_is_built() -> None:
    import skops.io
    from sklearn.linear_model import LinearRegression

    fitted = LinearRegression().fit(MADE.features[:, :2], MADE.labels)
    with pytest.raises(BundleError, match=r"the classifier is a LinearRegression \(here\)"):
        read_model("classifier.skops", skops.io.dumps(fitted), 2, "here")
    with pytest.raises(BundleError, match="cannot be read: Untrusted types"):
        read_model("classifier.skops", skops.io.dumps(Path("anything")), 2, "here")


def test_a_file_that_unpacks_to_too_much_is_refused(
    files: dict[str, tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.models.skops_file.LARGEST_FILE", 1000)
    with pytest.raises(BundleError, match=r"the classifier unpacks to \d+ bytes"):
        read_model("classifier.skops", files["logistic"][1], 6, "here")


def test_support_vectors_that_disagree_with_their_counts_are_refused(heads: dict[str, FusedHead]) -> None:
    damaged = copy.deepcopy(heads["svm"].classifier.model)
    damaged._n_support = damaged._n_support + np.array([500, 0], damaged._n_support.dtype)
    with pytest.raises(BundleError, match="support vectors are damaged"):
        read_model("classifier.skops", to_skops(damaged), 6, "here")


def test_a_tree_whose_indices_leave_its_arrays_is_refused(files: dict[str, tuple[str, bytes]]) -> None:
    content = _with_first_child(files["extra_trees"][1], 10_000)
    with pytest.raises(BundleError, match="a tree of the classifier is damaged"):
        read_model("classifier.skops", content, 6, "here")


@pytest.mark.parametrize("file", ["classifier.skops", "classifier.xgboost.json", "classifier.lightgbm.txt"])
def test_noise_is_no_classifier(file: str) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        read_model(file, b"no model at all", 2, "here")


def _with_first_child(content: bytes, child: int) -> bytes:
    """Return a forest's file in which the root of one tree has a child that does not exist."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as packed, zipfile.ZipFile(changed, "w") as written:
        done = False
        for entry in packed.namelist():
            data = packed.read(entry)
            if entry.endswith(".npy") and not done:
                array = np.load(io.BytesIO(data))
                if array.dtype.names and "left_child" in array.dtype.names:
                    array["left_child"][0], done = child, True
                    stream = io.BytesIO()
                    np.save(stream, array)
                    data = stream.getvalue()
            written.writestr(entry, data)
        assert done
    return changed.getvalue()
