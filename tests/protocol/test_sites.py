"""Splits by site: sites set aside, sites held out one by one."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, ProtocolError
from isthmus.protocol.cases import find_cases
from isthmus.protocol.parts import divide, set_aside
from isthmus.protocol.planning import plan_run
from isthmus.protocol.resolve import resolve_protocol

ARMS = "only=[thyronet_x4, resnet34]"


@pytest.fixture(scope="module")
def three_sites(cohorts, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sites") / "cohort"
    shutil.copytree(cohorts[0], folder)
    patients = pd.read_csv(folder / "patients.csv", dtype=str)
    # Grades repeat every ten cases: thirds by number have both classes.
    number = patients["patient_id"].astype(int)
    patients["site"] = ["ABC"[min((one - 1) // 12, 2)] for one in number]
    patients.to_csv(folder / "patients.csv", index=False)
    return folder


def divided(folder: Path, *settings: str):
    protocol = resolve_protocol("wang2025", "smoke", [ARMS, *settings])
    cases = find_cases(protocol, load_cohort(folder))
    return cases, *divide(protocol, cases)


def test_every_site_is_a_fold(three_sites):
    cases, split, aside = divided(three_sites, "splits.cross_validation.by=site")
    sites = dict(zip(cases.units["group_id"], cases.units["site"], strict=True))
    held_out = split[split["part"] == "cv"].assign(site=lambda rows: rows["group_id"].map(sites))
    assert held_out.groupby("fold")["site"].agg(lambda one: "".join(sorted(set(one)))).tolist() == ["A", "B", "C"]
    assert not aside
    plan = plan_run("wang2025", three_sites, profile="smoke", settings=[ARMS, "splits.cross_validation.by=site"])
    assert plan.fits == 2 * 3


def test_a_sites_patients_are_set_aside_whole_and_opened_as_external(three_sites):
    cases, split, aside = divided(three_sites, "splits.external_sites=[B]")
    inside = set(cases.units.loc[cases.units["site"] == "B", "group_id"])
    assert set(aside) == {"external"}
    assert set(aside["external"]) == inside
    assert not inside & set(split["group_id"])
    training, unseen = set_aside(cases, aside)
    assert set(training.units["site"]) == {"A", "C"}
    assert set(unseen["external"].units["site"]) == {"B"}


def test_sites_that_are_not_there_and_all_sites_are_refused(three_sites):
    with pytest.raises(CohortError, match="no case is of site Z"):
        divided(three_sites, "splits.external_sites=[Z]")
    with pytest.raises(CohortError, match="nobody is left to train on"):
        divided(three_sites, "splits.external_sites=[A, B, C]")


def test_a_group_at_two_sites_is_refused(three_sites, tmp_path):
    folder = tmp_path / "cohort"
    shutil.copytree(three_sites, folder)
    nodules = pd.read_csv(folder / "nodules.csv", dtype=str)
    sites = pd.read_csv(folder / "patients.csv", dtype=str).set_index("patient_id")["site"]
    first = [nodules.index[nodules["patient_id"].map(sites) == site][0] for site in "AB"]
    nodules.loc[first, "group_id"] = "one"
    nodules.to_csv(folder / "nodules.csv", index=False)
    for setting in ("splits.external_sites=[B]", "splits.cross_validation.by=site"):
        with pytest.raises(CohortError, match="1 groups of patients stand at two sites: one"):
            divided(folder, setting)


def test_by_site_there_is_no_number_of_folds_and_no_leak_to_show():
    protocol = resolve_protocol("wang2025", "smoke", [ARMS, "splits.cross_validation.by=site"])
    assert protocol.splits.cross_validation.folds is None
    with pytest.raises(ProtocolError, match="leak compares folds of pictures"):
        resolve_protocol("wang2025", "smoke", [ARMS, "splits.cross_validation.by=site", "leak={arm: resnet34}"])
