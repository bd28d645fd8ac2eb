"""The node in the network: what it takes, whom it refuses, and that nothing sent to it ends it.

Both sides of the wire are not ours: pynetdicom sends, dcmtk's own programs ask, and what is wrong is bytes on a socket.
"""

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UltrasoundImageStorage, generate_uid
from pynetdicom import AE
from pynetdicom.pdu_primitives import P_DATA

from isthmus.clinic.journal import look, retry_parked
from tests.clinic.nodes import (
    PATIENT,
    PATIENT_ID,
    Archive,
    CountingAssess,
    Running,
    picture,
    running,
    send,
    settings_of,
    wait_for,
)

# pynetdicom's caller leaves the socket of a connection that failed to the collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(ssl|socket):pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    one = Archive()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("node")


@pytest.fixture(scope="module")
def node(folder: Path, archive: Archive) -> Iterator[Running]:
    limits = {"instance_megabytes": 1, "stalled_s": 2.0, "associations": 6, "assessment_megabytes": 256}
    peers = {
        "sender": {"ae_title": "SENDER", "hosts": ["127.0.0.1"]},
        "elsewhere": {"ae_title": "ELSEWHERE", "hosts": ["10.1.2.0/24"]},
    }
    settings = settings_of(folder, peers=peers, destinations={"archive": archive.address()}, limits=limits)
    with running(settings) as one:
        yield one


def connection(node: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", node.port), timeout=10)


def alive(node: Running, archive: Archive) -> bool:
    study = generate_uid()
    assert send(node.port, [picture(study)]) == [0]
    return bool(wait_for(lambda: archive.of(study)))


def test_a_study_is_answered_once_as_a_whole_when_it_is_quiet(node: Running, archive: Archive):
    study = generate_uid()
    assert send(node.port, [picture(study, seed=seed) for seed in range(3)]) == [0, 0, 0]
    wait_for(lambda: archive.of(study))
    assert archive.of(study) == ["RESEARCH 3 instances by one"]
    # Sent again it is the same study by the same model; late instances are another matter.
    unchanged = node.words.getvalue().count("answered already")
    assert send(node.port, [picture(study, seed=1)]) == [0]
    wait_for(lambda: node.words.getvalue().count("answered already") > unchanged)
    assert len(archive.of(study)) == 1
    assert send(node.port, [picture(study, seed=7)]) == [0]
    wait_for(lambda: len(archive.of(study)) == 2)
    assert "RESEARCH 4 instances by one" in archive.of(study)


def test_a_result_that_comes_back_is_not_assessed(node: Running, archive: Archive):
    study = generate_uid()
    send(node.port, [picture(study)])
    wait_for(lambda: archive.of(study))
    own = next(uid for found, uid, _ in archive.received if found == study)
    assert send(node.port, [picture(study, SOPInstanceUID=own)]) == [0xA900]


@pytest.mark.parametrize("fault", ["die", "fill", "fail"])
def test_an_assessment_that_goes_wrong_is_tried_again_then_parked_and_takes_nothing_along(
    node: Running, archive: Archive, folder: Path, fault: str
):
    told = {"die": "SIGSEGV", "fill": "more memory", "fail": "ValueError"}[fault]
    before = len(look(folder / "spool")["parked"])
    send(node.port, [picture(generate_uid(), ImageComments=fault)])
    wait_for(lambda: len(look(folder / "spool")["parked"]) > before)
    last = look(folder / "spool")["parked"][-1]
    assert told in last["why"]
    assert last["attempts"] == 2
    assert PATIENT not in node.words.getvalue()
    assert alive(node, archive)


def test_a_destination_that_refuses_is_tried_again_then_parked_and_delivered_when_told(
    node: Running, archive: Archive, folder: Path
):
    study = generate_uid()
    archive.status = 0xA700
    send(node.port, [picture(study)])

    def given_up() -> bool:
        return any(one["what"] == "delivery to archive" for one in look(folder / "spool")["parked"])

    wait_for(given_up)
    assert "status A700" in look(folder / "spool")["parked"][-1]["why"]
    archive.status = 0
    assert retry_parked(folder / "spool") >= 1
    wait_for(lambda: archive.of(study))


@pytest.mark.parametrize(
    ("title", "called", "address"),
    [("STRANGER", "ISTHMUS", None), ("SENDER", "OTHER", None), ("ELSEWHERE", "ISTHMUS", None)],
    ids=["title", "called", "address"],
)
def test_who_is_not_a_peer_is_refused(node: Running, title: str, called: str, address: Any):
    entity = AE(ae_title=title)
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", node.port, ae_title=called)
    assert association.is_rejected
    assert send(node.port, [picture("1.2.3")], title=title, called=called) == [None]


def test_an_object_that_is_not_taken_has_no_context(node: Running):
    entity = AE(ae_title="SENDER")
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2")  # CT
    entity.add_requested_context(UltrasoundImageStorage, "1.2.840.10008.1.2.1.99")  # deflated
    assert not entity.associate("127.0.0.1", node.port, ae_title="ISTHMUS").is_established


@pytest.mark.parametrize(
    ("said", "status"),
    [({"side": 1100}, 0xA700), ({"StudyInstanceUID": ""}, 0xC000), ({"StudyInstanceUID": "../../etc"}, 0xC000)],
    ids=["oversized", "without a study", "path"],
)
def test_a_bad_instance_is_a_status(node: Running, said: dict[str, Any], status: int):
    with pydicom.config.disable_value_validation():
        one = picture(generate_uid(), **said)
        assert send(node.port, [one, picture(generate_uid(), seed=3)]) == [status, 0]


def sent_with(node: Running, one: Dataset, change: Callable[[bytes], bytes | None]) -> int | None:
    """Send an instance whose data set's fragments are changed on their way out, or never go; return the status."""
    entity = AE(ae_title="SENDER")
    entity.add_requested_context(UltrasoundImageStorage, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", node.port, ae_title="ISTHMUS")
    send_pdu = association.dul.send_pdu

    def changing(sent: Any) -> None:
        if isinstance(sent, P_DATA):
            ((context, data),) = sent.presentation_data_value_list
            if not data[0] & 1:  # of a data set, not of a command (PS3.8 E.2)
                if (changed := change(data)) is None:
                    return
                sent.presentation_data_value_list = [[context, changed]]
        send_pdu(sent)

    association.dul.send_pdu = changing
    status = association.send_c_store(one).get("Status")
    association.dul.send_pdu = send_pdu
    if association.is_established:
        association.release()
    return status


@pytest.mark.parametrize(("fault", "status"), [("mismatch", 0xA900), ("cut", 0xC000), ("empty", 0xC000)])
def test_a_data_set_that_is_not_what_was_announced_is_a_status(node: Running, fault: str, status: int):
    one = picture(generate_uid())
    uid = str(one.SOPInstanceUID).encode()
    changes: dict[str, Callable[[bytes], bytes]] = {
        "mismatch": lambda data: data.replace(uid, uid[:-4] + b"1234"),
        "cut": lambda data: data[:-500],
        "empty": lambda data: data[:1],
    }
    assert sent_with(node, one, changes[fault]) == status
    assert send(node.port, [picture(generate_uid())]) == [0]


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "bytes": bytes(range(256)) * 64,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "data before a request": b"\x04\x00\x00\x00\x00\x10" + b"\xff" * 16,
    "an empty request": b"\x01\x00\x00\x00\x00\x44" + b"\0" * 68,
    "an endless request": struct.pack(">BBL", 1, 0, 0xFFFFFFFF) + b"\0" * 100_000,
    "nothing": b"",
    "half a head": b"\x01\x00",
    "half a request": struct.pack(">BBL", 1, 0, 200) + b"\0" * 10,
}


def test_garbage_and_connections_that_stall_end_by_themselves_and_keep_no_other_waiting(node: Running):
    opened = {name: connection(node) for name in GARBAGE}
    for name, one in opened.items():
        one.sendall(GARBAGE[name])
    began = time.monotonic()
    assert send(node.port, [picture(generate_uid())]) == [0]
    for name, one in opened.items():
        with suppress(ConnectionResetError):
            while one.recv(1000):
                pass
        assert time.monotonic() - began < 10, name
        one.close()
    assert send(node.port, [picture(generate_uid())]) == [0]


def test_an_association_that_stalls_in_the_middle_of_an_instance_leaves_nothing(node: Running, folder: Path):
    seen = list[int]()

    def all_but_the_last(data: bytes) -> bytes | None:
        seen.append(wait_for(lambda: len(list((folder / "spool" / "incoming").iterdir()))) if seen else 0)
        return None if data[0] & 2 else data

    assert sent_with(node, picture(generate_uid(), side=512), all_but_the_last) is None
    assert max(seen) == 1
    wait_for(lambda: not list((folder / "spool" / "incoming").iterdir()))


def test_more_associations_than_allowed_are_refused_and_the_others_go_on(node: Running):
    entity = AE(ae_title="SENDER")
    entity.add_requested_context("1.2.840.10008.1.1")
    tried = [entity.associate("127.0.0.1", node.port, ae_title="ISTHMUS") for _ in range(8)]
    states = [(one.is_established, one.is_rejected) for one in tried]
    for one in tried:
        if one.is_established:
            one.release()
    assert states.count((True, False)) == 6
    assert states.count((False, True)) == 2
    wait_for(lambda: send(node.port, [picture(generate_uid())]) == [0])


def test_dcmtk_reaches_it(node: Running, tmp_path: Path, archive: Archive):
    echo, store = (shutil.which(name, path="/usr/bin") for name in ("echoscu", "storescu"))
    if not echo or not store:
        pytest.skip("no dcmtk (apt-get install dcmtk)")
    study = generate_uid()
    picture(study).save_as(tmp_path / "one.dcm", enforce_file_format=True)
    who = ["-aet", "SENDER", "-aec", "ISTHMUS", "127.0.0.1", str(node.port)]
    for command in ([echo, *who], [store, *who, str(tmp_path / "one.dcm")]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr
    wait_for(lambda: archive.of(study))


def test_nothing_that_was_said_names_a_patient_or_a_study(node: Running, archive: Archive, folder: Path):
    said = node.words.getvalue()
    assert said.count("\n") > 20
    for named in (
        PATIENT,
        PATIENT_ID,
        *(study for study, _, _ in archive.received),
        *(uid for _, uid, _ in archive.received),
    ):
        assert named not in said
        assert named not in str(look(folder / "spool"))


def test_another_model_answers_a_study_that_is_sent_again_and_instances_go_when_the_file_says_so(
    tmp_path: Path, archive: Archive
):
    study = generate_uid()
    for version, hours in (("one", 1), ("two", 0)):
        settings = settings_of(tmp_path, destinations={"archive": archive.address()}, retention={"hours": hours})
        with running(settings, partial(CountingAssess, version)) as node:
            assert send(node.port, [picture(study)]) == [0]
            wait_for(lambda node=node: node.said("delivered"))
        assert len(list((tmp_path / "spool").rglob("*.dcm"))) == (2 if hours else 0)
        assert look(tmp_path / "spool")["instances_held"] == (1 if hours else 0)
    assert archive.of(study) == ["RESEARCH 1 instances by one", "RESEARCH 1 instances by two"]
