"""Proven against an archive that nobody here wrote: Orthanc sends, asks for commitment, is asked, gets all back."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import generate_uid

from isthmus.clinic.assessment import Assessor
from isthmus.imaging.preparation import Preparation
from tests.clinic.nodes import Orthanc, Running, orthanc, picture, running, settings_of, wait_for, written
from tests.inference.small_models import SIZE, bundle
from tests.ultrasound_dicom import ultrasound_dicom

# pynetdicom's caller leaves the socket of a connection that failed to the collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(ssl|socket):pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as one:
        yield one


@pytest.fixture(scope="module")
def node(archive: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run a node that Orthanc knows, whose results go back into Orthanc by STOW-RS."""
    peers = {"pacs": {"ae_title": "ORTHANC", "hosts": ["127.0.0.1"], "port": archive.dicom}}
    web = {"kind": "dicomweb", "url": f"{archive.url}/dicom-web"}
    settings = settings_of(
        tmp_path_factory.mktemp("node"), peers=peers, destinations={"pacs": web}, limits={"stalled_s": 20},
        pull=[{"kind": "dicom", "peer": "pacs", "every_minutes": 600},
              {**web, "kind": "dicomweb", "every_minutes": 600}],
    )  # fmt: skip
    with running(settings) as one:
        archive.knows("isthmus", "ISTHMUS", one.port)
        yield one


def uploaded(archive: Orthanc, folder: Path, datasets: list[Any]) -> list[str]:
    return [archive.ask("/instances", path.read_bytes())["ID"] for path in written(folder, datasets)]


def results(archive: Orthanc, study: str) -> list[str]:
    return [one["SeriesDescription"] for one in archive.instances(study) if "SeriesDescription" in one]


def test_a_study_sent_by_orthanc_comes_back_and_is_committed_to(node: Running, archive: Orthanc, tmp_path: Path):
    study = generate_uid()
    sent = uploaded(archive, tmp_path, [picture(study, seed=seed) for seed in range(2)])
    archive.ask("/modalities/isthmus/echo", {})
    archive.ask("/modalities/isthmus/store", {"Resources": sent, "StorageCommitment": False})
    wait_for(lambda: results(archive, study) == ["RESEARCH 2 instances by one"])
    # One that it never got is not committed to.
    never = {"DicomInstances": [["1.2.840.10008.5.1.4.1.1.6.1", "1.2.3.4"]]}
    outcome = {}
    for asked, what in (({"Resources": sent}, "held"), (never, "never")):
        path = archive.ask("/modalities/isthmus/storage-commitment", asked)["Path"]
        outcome[what] = wait_for(lambda path=path: (one := archive.ask(path))["Status"] != "Pending" and one)
    assert outcome["held"]["Status"] == "Success"
    assert len(outcome["held"]["Success"]) == 2
    assert outcome["never"]["Status"] == "Failure"
    assert "was not available" in outcome["never"]["Failures"][0]["Description"]  # its words for 0112


@pytest.mark.parametrize("number", [0, 1], ids=["C-MOVE", "WADO-RS"])
def test_studies_of_today_are_pulled_once_and_again_only_when_there_is_more(
    node: Running, archive: Orthanc, tmp_path: Path, number: int
):
    puller = node.service._pullers[number]
    puller.once()
    today, long_ago = generate_uid(), generate_uid()
    uploaded(archive, tmp_path / "a", [picture(today, seed=seed) for seed in range(2)])
    uploaded(archive, tmp_path / "b", [picture(long_ago, StudyDate="20010101")])
    uploaded(archive, tmp_path / "c", [picture(generate_uid(), Modality="CT")])
    assert puller.once() == 1
    wait_for(lambda: results(archive, today) == ["RESEARCH 2 instances by one"])
    assert puller.once() == 0  # its own result is there now, too
    uploaded(archive, tmp_path / "d", [picture(today, seed=9)])
    assert puller.once() == 1
    wait_for(lambda: "RESEARCH 3 instances by one" in results(archive, today))
    assert results(archive, long_ago) == []


def test_the_real_assessment_of_a_study_comes_back_into_the_archive_as_its_report(archive: Orthanc, tmp_path: Path):
    paths = [ultrasound_dicom(tmp_path / f"{number}.dcm", seed=number, instance=number) for number in (1, 2)]
    study = str(pydicom.dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
    whole = Preparation(crop="scan_area", train_size=72, crop_size=SIZE)
    model = bundle(tmp_path / "bundle", requires={"modalities": ["bmode"], "region": "none"}, prepare=whole)
    peers = {"pacs": {"ae_title": "ORTHANC", "hosts": ["127.0.0.1"]}}
    pacs = {"kind": "dicom", "ae_title": "ORTHANC", "address": "127.0.0.1", "port": archive.dicom}
    with running(settings_of(tmp_path, peers=peers, destinations={"pacs": pacs}), partial(Assessor, [model])) as node:
        archive.knows("real", "ISTHMUS", node.port)
        sent = [archive.ask("/instances", path.read_bytes())["ID"] for path in paths]
        archive.ask("/modalities/real/store", sent)
        wait_for(lambda: node.said("assessed in"))
        came = wait_for(lambda: [one for one in archive.instances(study) if one["Modality"] == "SR"])
    assert all(one["SeriesDescription"].startswith("RESEARCH") for one in came)
    assert {one["PatientID"] for one in archive.instances(study)} == {"H00471"}
    assert "H00471" not in node.words.getvalue()
