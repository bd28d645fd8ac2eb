"""Cohorts of other patients: several of them, with labels of other names, and nobody whom the networks saw."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image, ImageOps

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.sources import import_data_set
from isthmus.errors import CohortError, ProtocolError
from isthmus.files import read_json, read_yaml, write_yaml
from isthmus.protocol.correspondence import FORMAT, Correspondence, answer_of, read_correspondences
from isthmus.protocol.external import check_names
from isthmus.protocol.overlap import find_overlap, refuse_overlap
from isthmus.protocol.run import run
from tests.ddti_tree import write_ddti_tree
from tests.protocol.conftest import SETTINGS


def renamed(source: Path, folder: Path, name: str) -> Path:
    """Copy a cohort under another name."""
    shutil.copytree(source, folder)
    change(folder, name=name)
    return folder


def change(folder: Path, **keys) -> None:
    content = read_yaml(folder / "cohort.yaml")
    write_yaml(folder / "cohort.yaml", content | keys)


@pytest.fixture(scope="module")
def pathology(cohorts, tmp_path_factory) -> Path:
    """A third hospital, whose labels have another name, other codes and another reference."""
    folder = renamed(cohorts[1], tmp_path_factory.mktemp("third") / "third", "Third, Synthetic")
    nodules = pd.read_csv(folder / "nodules.csv", dtype=str)
    target = read_yaml(folder / "cohort.yaml")["targets"]["tirads_4a_or_higher"]
    nodules["malignant"] = nodules[target["column"]].map({"0": "B", "1": "M"})
    nodules.to_csv(folder / "nodules.csv", index=False)
    own = {"column": "malignant", "classes": {"B": "benign", "M": "malignant"}, "reference": "surgery"}
    change(folder, targets={"malignant": {**target, **own}}, patient_ids="absent")
    return folder


def test_a_second_external_cohort_joins_a_run_and_each_is_shown_by_name(finished, cohorts, pathology, tmp_path):
    folder, said = tmp_path / "run", tmp_path / "said.yaml"
    shutil.copytree(finished[0].folder, folder)
    name = "Third, Synthetic"
    write_yaml(said, {"format": FORMAT, "cohorts": {name: {"target": "malignant", "classes": {"B": "0", "M": "1"}}}})
    result = run(
        "wang2025", cohorts[0], folder, external=[cohorts[1], pathology], correspondence=said, profile="smoke",
        settings=SETTINGS, resume=True,
    )  # fmt: skip
    first = load_cohort(cohorts[1]).name
    assert set(result.evidence["arms"]["resnet34"]) == {"cv", "test", f"external: {first}", f"external: {name}"}
    # The same pictures and truth under another name: the same answers.
    parts = result.evidence["arms"]["resnet34"]
    assert parts[f"external: {first}"]["auc"] == parts[f"external: {name}"]["auc"]
    assert [one["cohort"] for one in read_json(folder / "openings.json")["openings"]][-2:] == [first, name]
    assert result.evidence["external"][name]["reference"] == "surgery"
    page = result.report.read_text(encoding="utf-8")
    assert "malignant stands for tirads_4a_or_higher (B for 0, M for 1)" in page
    assert "The references differ: its labels come from surgery" in page
    assert "It has no patient ids" in page


def test_labels_of_another_name_are_never_guessed(cohorts, pathology):
    asked, other = load_cohort(cohorts[0]).targets["tirads_4a_or_higher"], load_cohort(pathology)
    with pytest.raises(CohortError, match=r'"Third, Synthetic": \{target: malignant, classes: \{"B": \?, "M": \?\}\}'):
        answer_of(other, asked, {})
    said = Correspondence(target="malignant", classes={"B": "0", "M": "1"})
    target, classes = answer_of(other, asked, {other.name: said})
    assert (target.name, target.reference, classes) == ("tirads_4a_or_higher", "surgery", {"B": "0", "M": "1"})
    assert target.classes == {"0": "benign", "1": "malignant"}
    for classes, words in (({"B": "0"}, "each of its classes"), ({"B": "0", "M": "0"}, "both classes")):
        said = Correspondence.model_construct(target="malignant", classes=classes)
        with pytest.raises(CohortError, match=words):
            answer_of(other, asked, {other.name: said})


def test_the_same_codes_with_swapped_meanings_are_refused(cohorts, tmp_path):
    asked = load_cohort(cohorts[0]).targets["tirads_4a_or_higher"]
    folder = renamed(cohorts[1], tmp_path / "swapped", "Swapped")
    targets = read_yaml(folder / "cohort.yaml")["targets"]
    shown = targets["tirads_4a_or_higher"]["classes"]
    targets["tirads_4a_or_higher"]["classes"] = {"0": shown["1"], "1": shown["0"]}
    change(folder, targets=targets)
    with pytest.raises(CohortError, match="has other classes in cohort Swapped"):
        answer_of(load_cohort(folder), asked, {})


def test_views_are_joined_as_the_run_joins_its_own(cohorts):
    # The threshold was chosen on means; maxima lie higher.
    own, other = (load_cohort(folder) for folder in cohorts)
    asked = next(iter(own.targets.values()))
    theirs = asked.model_copy(update={"aggregation": {"nodule": "maximum", "patient": "maximum"}})
    answer, _ = answer_of(replace(other, targets={theirs.name: theirs}), asked, {})
    assert answer.aggregation["nodule"] == "mean"


def test_a_correspondence_file_is_checked(tmp_path):
    path, head = tmp_path / "said.yaml", f"format: {FORMAT}\ncohorts: "
    path.write_text(head + "{B: {target: malignant, classes: {0: 0, 1: 1}}}\n", encoding="utf-8")
    assert read_correspondences(path)["B"].classes == {"0": "0", "1": "1"}
    path.write_text(head + "{B: {taget: malignant}}\n", encoding="utf-8")
    with pytest.raises(ProtocolError, match=r"cohorts\.B"):
        read_correspondences(path)


def test_a_correspondence_of_no_cohort_and_two_cohorts_of_one_name_are_refused(cohorts, tmp_path):
    own, other = (load_cohort(folder) for folder in cohorts)
    with pytest.raises(CohortError, match="names no external cohort: Nowhere"):
        check_names(own, [other], {"Nowhere": Correspondence(target="a", classes={"0": "0", "1": "1"})})
    twin = renamed(cohorts[1], tmp_path / "twin", own.name)
    with pytest.raises(CohortError, match="two cohorts are called"):
        check_names(own, [load_cohort(twin)], {})


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> tuple[Path, Path]:
    """Two cohorts of a few patients, whose ids are real."""
    folder = tmp_path_factory.mktemp("few")
    for name, seed in (("Own", 0), ("Other", 1)):
        write_ddti_tree(folder / f"{name}-tree", 6, seed=seed)
        import_data_set("ddti", folder / f"{name}-tree", folder / name)
        change(folder / name, name=name, patient_ids="real", simulated=False)
    return folder / "Own", folder / "Other"


def elsewhere(folder: Path) -> None:
    patients = folder / "patients.csv"
    patients.write_text(patients.read_text(encoding="utf-8").replace("DDTI", "Elsewhere"), encoding="utf-8")


def test_pictures_that_both_cohorts_hold_are_found_exact_and_mirrored(few, tmp_path):
    own, folder = load_cohort(few[0]), tmp_path / "other"
    shutil.copytree(few[1], folder)
    elsewhere(folder)
    pictures = [f"pictures/{number}_1.jpg" for number in (1, 2, 3, 4)]
    shutil.copy(few[0] / pictures[0], folder / pictures[1])
    with Image.open(few[0] / pictures[2]) as picture:
        ImageOps.mirror(picture).save(folder / pictures[3], quality=90)
    listing = tmp_path / "run.overlap.csv"
    with pytest.raises(CohortError, match=r"2 patients of Other stand in the training cohort too .* run.overlap.csv"):
        refuse_overlap(own, load_cohort(folder), tmp_path / "kept.json", listing)
    rows = pd.read_csv(listing).set_index("kind")
    assert rows.loc["same picture", ["own_picture", "other_picture"]].tolist() == pictures[:2]
    assert rows.loc["copied picture", ["own_picture", "other_picture"]].tolist() == pictures[2:]
    assert "mirrored" in rows.loc["copied picture", "words"]


def test_the_same_id_at_the_same_site_is_one_patient_elsewhere_it_is_not(few, tmp_path):
    own, other = (load_cohort(folder) for folder in few)
    found = find_overlap(own, other)
    shared = set(own.patients["patient_id"]) & set(other.patients["patient_id"])
    assert {one.other_patient for one in found if one.kind == "same id at the same site"} == shared != set()
    shutil.copytree(few[1], tmp_path / "other")
    elsewhere(tmp_path / "other")
    assert not [one for one in find_overlap(own, load_cohort(tmp_path / "other")) if one.proves]
