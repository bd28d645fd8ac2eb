"""A run with an arm of three modalities, on cases that lack some of them, from the cohort to the answer for a case."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, InputError, ProtocolError
from isthmus.files import read_json, write_yaml
from isthmus.inference.fused_case import Case, View
from isthmus.inference.joined_cases import predict_joined_cases
from isthmus.inference.predictor import load_bundle
from isthmus.protocol.absent_modalities import without_absent_modalities
from isthmus.protocol.cases import find_cases
from isthmus.protocol.rating import make_form
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run import run
from isthmus.protocol.run_folder import Run
from isthmus.protocol.suitability import suitability
from tests.multimodal_cohort import write_multimodal_cohort

PROTOCOL = {
    "format": "isthmus-protocol/1.0", "protocol": "joined", "title": "t", "question": "q", "cite": "c", "claims": False,
    "target": ["malignant"], "primary": {"arm": "all", "against": "bmode"},
    "explain": {"arms": ["all"], "cases": 3},
    "splits": {"cross_validation": {"folds": 2}, "seeds": [0], "test": {"column": "split"}},
    "defaults": {
        "network": "resnet18", "options": {"width": 8},
        "prepare": {"crop": "lesion", "channels": "rgb", "marks": "keep", "train_size": 36, "crop_size": 32},
        "train": {"epochs": 1, "batch": 8, "early_stopping": None, "precision": "fp32", "augment": ["flip"]},
    },
    "arms": {
        "bmode": {"view": {"modality": "bmode"}},
        "swe": {"view": {"modality": "swe"}},
        "all": {
            "title": "All three", "view": {"modalities": ["bmode", "smi", "swe"], "join": "branches"},
            "train": {"modality_dropout": 0.3}, "predict": {"flips": True},
        },
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("protocol") / "joined.yaml"
    write_yaml(path, PROTOCOL)
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_multimodal_cohort(tmp_path_factory.mktemp("cohorts") / "own")


@pytest.fixture(scope="module")
def finished(protocol: str, folder: Path, cache: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    other = write_multimodal_cohort(folder.parent / "other", 8, name="elsewhere", modalities=("bmode", "smi"))
    out = tmp_path_factory.mktemp("runs") / "joined"
    return run(protocol, folder, out, external=other, settings=["only=[bmode, all]"])


def test_every_nodule_is_scored_with_whatever_it_has(finished: Run, folder: Path) -> None:
    own = finished.predictions[finished.predictions["arm"] == "all"]
    nodules = load_cohort(folder).nodules
    assert set(own.loc[own["split"].isin(["cv", "test"]), "unit_id"]) == set(nodules["nodule_id"])
    assert (own["split"] == "external").sum() == 8


def test_the_whole_subset_is_what_the_run_predicted(finished: Run) -> None:
    own = finished.predictions[finished.predictions["arm"] == "all"].set_index(["split", "unit_id"])["p_1"]
    table = pd.read_csv(finished.folder / "tables" / "modalities.csv", dtype={"unit_id": str})
    whole = table[table["subset"] == 7].set_index(["split", "unit_id"])["p_1"]
    assert set(whole.index) == {one for one in own.index if one[0] != "tune"}
    np.testing.assert_allclose(whole, own.loc[whole.index], atol=1e-6)


def test_the_evidence_has_every_subset_of_every_set_and_what_each_modality_counted(finished: Run) -> None:
    found = read_json(finished.folder / "evidence.json", name="evidence")["modalities"]["all"]
    by_split = {
        split: {"+".join(entry["shown"]): entry for entry in found["subsets"] if entry["split"] == split}
        for split in ("cv", "test", "external")
    }
    assert all(len(own) == 7 for own in by_split.values())
    assert by_split["external"]["swe"]["n"] == 0
    assert by_split["external"]["bmode"]["n"] == 8
    assert by_split["cv"]["smi"]["n"] < by_split["cv"]["bmode"]["n"]
    rows = pd.read_csv(finished.folder / "explanations" / "all" / "modalities.csv")
    brought = rows[["bmode", "smi", "swe"]]
    np.testing.assert_allclose(rows["start"] + brought.sum(axis=1), rows["log_odds"], atol=1e-9)
    assert brought["bmode"].notna().all()
    assert brought["swe"].isna().any()
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "With and without each modality" in page
    assert "How much each modality counted" in page


def test_each_branch_has_heat_maps_of_its_own_pictures(finished: Run, folder: Path) -> None:
    views = load_cohort(folder).views
    own = finished.predictions[(finished.predictions["arm"] == "all") & (finished.predictions["split"] == "cv")]
    for modality in ("bmode", "smi", "swe"):
        place = finished.folder / "explanations" / "all" / modality
        rows = pd.read_csv(place / "localisation.csv", dtype={"view_id": str})
        having = views.loc[views["modality"] == modality, "nodule_id"]
        assert set(rows["nodule_id"]) == set(own["unit_id"]) & set(having)
        assert (place / "gallery.png").is_file()
    assert "All three: elastography" in (finished.folder / "report.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="one of all/bmode, all/smi, all/swe"):
        make_form(finished.folder, finished.folder.parent / "form", arms=["all"])


def test_the_bundle_says_of_files_what_the_run_said_of_the_test_set(finished: Run, folder: Path) -> None:
    predictor = load_bundle(finished.bundle_folder("all"), "cpu")
    views, rows = load_cohort(folder).views, finished.predictions
    own = rows[(rows["arm"] == "all") & (rows["split"] == "test")].set_index("unit_id")
    cases = []
    for nodule in own.index:
        pictures: dict[str, list[View]] = {}
        for view in views[views["nodule_id"] == nodule].itertuples():
            box = ",".join(str(view.box).split())
            pictures.setdefault(str(view.modality), []).append(
                View(folder / str(view.path), box=box, scan_area="0,0,72,56")
            )
        cases.append(Case(pictures, name=str(nodule)))
    said = predict_joined_cases(predictor, cases)
    np.testing.assert_allclose([one.probabilities["1"] for one in said], own["p_1"], atol=1e-5)


def test_a_modality_that_no_case_has_is_left_out_and_said(protocol: str, tmp_path: Path) -> None:
    cohort = load_cohort(write_multimodal_cohort(tmp_path / "a", 8, modalities=("bmode", "smi")))
    narrowed, said = without_absent_modalities(resolve_protocol(protocol), cohort)
    assert narrowed.arms["all"].view.shown == ("bmode", "smi")
    assert list(narrowed.arms) == ["bmode", "all"]
    assert said == [
        "arm all is trained without swe: the cohort has no labelled view",
        "left out: swe, of which the cohort has no labelled view",
    ]
    assert resolve_protocol(protocol).model_validate(narrowed.model_dump(mode="json")) == narrowed
    assert find_cases(narrowed, cohort).views["all"]["nodule_id"].nunique() == 8
    assert said[0] in suitability(protocol, cohort).notes


def test_a_cohort_with_none_of_the_modalities_is_refused(tmp_path: Path, protocol: str) -> None:
    cohort = load_cohort(write_multimodal_cohort(tmp_path / "a", 8, modalities=("bmode",)))
    settings = ["arms.all.view.modalities=[smi, swe]"]
    with pytest.raises(CohortError, match=r"all joins smi and swe, and cohort .* has a labelled view of none"):
        without_absent_modalities(resolve_protocol(protocol, settings=settings), cohort)


def test_what_is_joined_already_joins_no_fusion(protocol: str) -> None:
    with pytest.raises(ProtocolError, match="'all', which joins modalities itself"):
        resolve_protocol(protocol, settings=["fusions.both={fuse: [all, swe]}"])
