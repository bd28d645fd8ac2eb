"""Which protocols fit a cohort, and the reasons with counts."""

import dataclasses
import json
import shutil

import pandas as pd
import pytest
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError
from isthmus.files import read_yaml, write_yaml
from isthmus.protocol.cases import find_cases
from isthmus.protocol.narrowing import fitted_to
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.suitability import suitability
from isthmus.tables.vocabulary import DESCRIPTORS
from tests.contrast_cohort import write_contrast_cohort

TARGET = "tirads_4a_or_higher"


@pytest.fixture
def altered(cohorts, tmp_path):
    def copy(**keys):
        shutil.copytree(cohorts[0], tmp_path / "cohort")
        write_yaml(tmp_path / "cohort" / "cohort.yaml", read_yaml(tmp_path / "cohort" / "cohort.yaml") | keys)
        return tmp_path / "cohort"

    return copy


def test_a_cohort_with_target_modality_regions_and_groups_fits(cohorts):
    cohort = load_cohort(cohorts[0])
    found = suitability("wang2025", cohort)
    assert found.fits
    examples = cohort.examples(TARGET)
    assert found.counts["nodules"] == examples["nodule_id"].nunique()
    assert sum(found.counts["classes"].values()) == examples["group_id"].nunique() == found.counts["groups"]


def test_a_missing_target_and_a_third_class_without_cases_are_named(altered, cohorts):
    targets = read_yaml(cohorts[0] / "cohort.yaml")["targets"]
    folder = altered(targets={"other": targets[TARGET]})
    assert "target missing: it needs malignant or tirads_4a_or_higher; the cohort has other" in "".join(
        suitability("wang2025", load_cohort(folder)).reasons
    )
    with pytest.raises(CohortError, match=r"none of the targets of wang2025.*Next: .*--set \"target=\[other\]\""):
        find_cases(resolve_protocol("wang2025"), load_cohort(folder))
    three = {**targets[TARGET], "classes": {**targets[TARGET]["classes"], "2": "unclear"}}
    write_yaml(folder / "cohort.yaml", read_yaml(folder / "cohort.yaml") | {"targets": {TARGET: three}})
    assert "no case of 'unclear'" in suitability("wang2025", load_cohort(folder)).reasons[0]


def test_missing_regions_and_some_missing_regions_are_counted(altered):
    folder = altered()
    views = pd.read_csv(folder / "views.csv", dtype=str)
    labelled = len(load_cohort(folder).examples(TARGET))
    columns = [name for name in ("mask", "box", "region_source") if name in views]
    first = load_cohort(folder).examples(TARGET)["view_id"].iloc[0]
    for rows, words in (
        (views["view_id"] == first, f"1 of {labelled} labelled views (bmode) have no outline or box"),
        (views["view_id"] != "", f"regions missing: none of {labelled} labelled views"),
    ):
        views.loc[rows, columns] = None
        views.to_csv(folder / "views.csv", index=False)
        found = suitability("wang2025", load_cohort(folder))
        assert words in " ".join([*found.reasons, *found.notes])
    assert not found.fits


def test_a_missing_modality_names_its_arms_and_what_the_cohort_has(cohorts):
    settings = ["only=[thyronet_x4, resnet34]", "defaults.prepare.marks=keep", "arms.resnet34.view.modality=smi"]
    cohort = load_cohort(cohorts[0])
    found = suitability("wang2025", cohort, settings=settings)
    assert found.arms == ["thyronet_x4"]
    assert found.reasons == [
        f"modality missing: resnet34 need labelled smi views; the cohort's views are {len(cohort.views)} bmode"
    ]


def test_fewer_groups_than_folds_are_counted(altered):
    folder = altered()
    protocol = suitability("wang2025", load_cohort(folder), settings=["splits.cross_validation.folds=20"])
    assert not protocol.fits
    assert "20 folds" in protocol.reasons[0]
    assert "groups" in protocol.reasons[0]


def test_the_command_answers_for_all_protocols_in_words_and_json(cohorts):
    runner = CliRunner()
    words = runner.invoke(app, ["protocols", "--cohort", str(cohorts[0])])
    assert words.exit_code == 0, words.output
    assert "wang2025: fits (target tirads_4a_or_higher:" in words.output
    facts = json.loads(runner.invoke(app, ["protocols", "wang2025", "--cohort", str(cohorts[0]), "--json"]).output)
    assert [one["fits"] for one in facts["protocols"]] == [True]


def test_a_protocol_that_must_learn_descriptors_does_not_fit_a_cohort_without(altered):
    folder = altered()
    nodules = pd.read_csv(folder / "nodules.csv", dtype=str)
    nodules.drop(columns=[name for name in DESCRIPTORS if name in nodules]).to_csv(folder / "nodules.csv", index=False)
    must = ["arms.resnet34.descriptors={where_absent: refuse}"]
    (reason,) = suitability("wang2025", load_cohort(folder), settings=must).reasons
    assert "none of the descriptors that arm resnet34 is to learn" in reason
    assert suitability("wang2025", load_cohort(folder)).fits


def test_what_run_would_refuse_at_once_is_a_reason(tmp_path):
    # Measured perfusion without a contrast-enhanced clip: run says so before training, and so does this.
    cohort = load_cohort(write_contrast_cohort(tmp_path / "contrast", 16))
    views = cohort.views[cohort.views["modality"] != "ceus"]
    stills = dataclasses.replace(cohort, views=views)
    settings = ["fusions.combined.fuse=[image]", "fusions.combined.perfusion=true", "only=[image, combined]"]
    with pytest.raises(CohortError, match="no contrast-enhanced clip"):
        fitted_to(resolve_protocol("olnm2025", "smoke", settings), stills)
    found = suitability("olnm2025", stills, "smoke", settings)
    assert not found.fits
    assert "no contrast-enhanced clip" in found.reasons[0]
