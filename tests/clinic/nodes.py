"""A node to test: small studies to send it, something that assesses them at once, and a real Orthanc beside it."""

import io
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid
from pynetdicom import AE, evt

from isthmus.clinic.assessment import StudyResults
from isthmus.clinic.node_log import NodeLog
from isthmus.clinic.node_service import NodeService
from isthmus.clinic.node_settings import NodeSettings

PATIENT = "TESTING^CASE"
PATIENT_ID = "TEST-4711"


def picture(study: str, *, seed: int = 0, side: int = 32, **changes: Any) -> Dataset:
    """Make an ultrasound still of a study, with a name that may appear nowhere."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = UltrasoundImageStorage
    one.SOPInstanceUID = generate_uid(entropy_srcs=[study, str(seed)])
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    one.StudyInstanceUID, one.SeriesInstanceUID = study, generate_uid(entropy_srcs=[study, "series"])
    one.PatientName, one.PatientID = PATIENT, PATIENT_ID
    one.StudyDate, one.StudyTime, one.AccessionNumber = f"{time.strftime('%Y%m%d')}", "101010", "A4711"
    one.PatientBirthDate = one.PatientSex = one.StudyID = one.ReferringPhysicianName = ""
    one.Modality, one.SeriesNumber, one.InstanceNumber = "US", 1, seed + 1
    one.Rows = one.Columns = side
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 8, 8, 7, 0
    one.PixelData = np.random.default_rng(seed).integers(0, 255, (side, side), np.uint8).tobytes()
    for keyword, value in changes.items():
        setattr(one, keyword, value)
    return one


def written(folder: Path, datasets: Sequence[Dataset]) -> list[Path]:
    """Write files as an archive would hand them over."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:04}.dcm" for number in range(len(datasets))]
    for path, dataset in zip(paths, datasets, strict=True):
        dataset.save_as(path, enforce_file_format=True)
    return paths


class CountingAssess:
    """Answers with one capture that says how many instances it saw; or does what the study's first comment tells."""

    def __init__(self, version: str = "one", sleep_s: float = 0.0) -> None:
        self.version = version
        self._sleep_s = sleep_s

    def __call__(self, files: Sequence[Path]) -> StudyResults:
        sources = [pydicom.dcmread(path) for path in files]
        told = str(sources[0].get("ImageComments", ""))
        if told == "die":
            import ctypes

            ctypes.string_at(0)
        if told == "fill":
            np.ones(1 << 33, np.uint8)
        if told == "fail":
            raise ValueError(f"of {sources[0].PatientName}")
        if told == "wait":
            time.sleep(60)
        time.sleep(self._sleep_s)
        answer = picture(str(sources[0].StudyInstanceUID), seed=int(time.time_ns() % 1_000_000_000))
        answer.SeriesInstanceUID = generate_uid()
        answer.Modality, answer.SeriesDescription = "OT", f"RESEARCH {len(files)} instances by {self.version}"
        return StudyResults((answer,), (f"{len(files)} pictures seen",))


def settings_of(folder: Path, *, peers: dict[str, Any] | None = None, **changes: Any) -> NodeSettings:
    """Return settings of a node in a folder: a free port, hardly any quiet, one destination that nobody listens at."""
    said: dict[str, Any] = {
        "format": "isthmus-node/1.0",
        "listen": {"port": 0},
        "spool": folder / "spool",
        "peers": peers or {"sender": {"ae_title": "SENDER", "hosts": ["127.0.0.1"]}},
        "destinations": {"archive": {"kind": "dicom", "ae_title": "ARCHIVE", "address": "127.0.0.1", "port": 9}},
        "study": {"quiet_s": 0.3},
        "retry": {"attempts": 2, "first_s": 0.1, "longest_s": 0.1},
        "limits": {"free_megabytes": 0, "stalled_s": 10.0},
    }
    for key, value in changes.items():
        said[key] = {**said[key], **value} if key in ("limits", "retry", "study") else value
    return NodeSettings.model_validate(said)


make_counting = partial(CountingAssess)


class Running:
    """A node in this process with what it said."""

    def __init__(self, settings: NodeSettings, make: Callable[[], Any] = make_counting) -> None:
        self.words = io.StringIO()
        self.service = NodeService(settings, make, NodeLog(self.words))
        self.service.start()
        self.port = self.service.node.port

    def said(self, words: str) -> bool:
        return words in self.words.getvalue()


@contextmanager
def running(settings: NodeSettings, make: Callable[[], Any] = make_counting) -> Iterator[Running]:
    """Run a node in this process."""
    node = Running(settings, make)
    try:
        yield node
    finally:
        node.service.stop()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return the first true answer; fail when there is none in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.02)
    pytest.fail(f"this did not come true in {seconds:g} s")


class Archive:
    """A small archive: remembers what it was sent, in order, and may be told to refuse."""

    def __init__(self, port: int = 0, title: str = "ARCHIVE") -> None:
        self.received: list[tuple[str, str, str]] = []
        self.status = 0x0000
        entity = AE(ae_title=title)
        entity.add_supported_context(UltrasoundImageStorage)
        self._server = entity.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._take)]
        )
        self.port = self._server.server_address[1]

    def _take(self, event: Any) -> int:
        one = event.dataset
        if self.status == 0x0000:
            said = (str(one.StudyInstanceUID), str(one.SOPInstanceUID), str(one.get("SeriesDescription", "")))
            self.received.append(said)
        return self.status

    def of(self, study: str) -> list[str]:
        """Return the descriptions of the distinct results of a study."""
        return list({uid: said for found, uid, said in self.received if found == study}.values())

    def address(self) -> dict[str, Any]:
        return {"kind": "dicom", "ae_title": "ARCHIVE", "address": "127.0.0.1", "port": self.port}

    def stop(self) -> None:
        self._server.shutdown()


def send(port: int, datasets: Sequence[Dataset], *, called: str = "ISTHMUS", title: str = "SENDER") -> list[int | None]:
    """Send data sets over one association; return the status of each, None where there was no answer."""
    entity = AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
    entity.add_requested_context(UltrasoundImageStorage)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return [None] * len(datasets)
    found = [association.send_c_store(one).get("Status") for one in datasets if association.is_established]
    if association.is_established:
        association.release()
    return found + [None] * (len(datasets) - len(found))


class Orthanc:
    """A real archive with its own store, on this machine alone."""

    def __init__(self, folder: Path) -> None:
        self.dicom, self.http = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http}"
        self._config = {
            "Name": "test", "StorageDirectory": str(folder / "store"), "IndexDirectory": str(folder / "store"),
            "DicomAet": "ORTHANC", "DicomPort": self.dicom, "HttpPort": self.http,
            "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "HttpBindAddresses": ["127.0.0.1"],
            "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
            "DicomAlwaysAllowStore": True, "DicomCheckCalledAet": False, "OverwriteInstances": False,
            "DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True, "StableAge": 1, "DicomScuTimeout": 10,
            "DicomWeb": {"Enable": True}, "DicomCheckModalityHost": False,
        }  # fmt: skip
        self._file = folder / "orthanc.json"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._file.write_text(json.dumps(self._config))
        self._log = self._file.with_suffix(".log").open("wb")
        self._process = subprocess.Popen(["Orthanc", str(self._file)], stdout=self._log, stderr=self._log)
        wait_for(self._answers, 20)

    def _answers(self) -> bool:
        try:
            self.ask("/system")
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()  # a clean end takes it four seconds; its store goes with the test's folder
            self._process.wait(10)
        self._log.close()

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            content = answer.read()
        return json.loads(content) if content[:1] in b"[{" and content else content

    def knows(self, name: str, title: str, port: int) -> None:
        self.ask(f"/modalities/{name}", {"AET": title, "Host": "127.0.0.1", "Port": port}, "PUT")

    def instances(self, study: str) -> list[dict[str, Any]]:
        """Return the tags of all instances of a study."""
        query = {"Level": "Instance", "Query": {"StudyInstanceUID": study}}
        return [self.ask(f"/instances/{one}/simplified-tags") for one in self.ask("/tools/find", query)]


@contextmanager
def orthanc(folder: Path) -> Iterator[Orthanc]:
    """Run an Orthanc; skip where there is none."""
    if shutil.which("Orthanc") is None or not Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so").is_file():
        pytest.skip("no Orthanc with its DICOMweb plugin (apt-get install orthanc orthanc-dicomweb)")
    archive = Orthanc(folder)
    archive.start()
    try:
        yield archive
    finally:
        archive.stop()
