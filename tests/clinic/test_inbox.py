"""Acknowledged means on disk, under a name that no sender chose."""

import errno
import os
import stat
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from isthmus.clinic import journal
from isthmus.clinic.inbox import Inbox, Refused
from isthmus.clinic.node_settings import Limits
from tests.clinic.nodes import PATIENT, picture

FREE = Limits(free_megabytes=0)


def put(inbox: Inbox, dataset: pydicom.Dataset, instance: str | None = None) -> Any:
    arrival = inbox.arriving(dataset.SOPClassUID, instance or dataset.SOPInstanceUID, ExplicitVRLittleEndian)
    for part in (lambda all_: [all_[:100], all_[100:]])(encode(dataset, False, True)):
        arrival.write(part)
    return arrival.keep()


def test_what_is_kept_is_a_part_10_file_with_all_that_came(tmp_path: Path):
    inbox, one = Inbox(tmp_path, FREE), picture("1.2.3")
    kept = put(inbox, one)
    (path,) = inbox.files_of(kept.study)
    found = pydicom.dcmread(path)
    assert found == one
    assert found.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert list((tmp_path / "incoming").iterdir()) == []


def test_only_the_owner_may_read_the_spool_and_nothing_in_the_journal_names_the_patient(tmp_path: Path):
    inbox, one = Inbox(tmp_path / "spool", FREE), picture("1.2.840.99.4711")
    put(inbox, one)
    for path in (tmp_path / "spool", *(tmp_path / "spool").rglob("*")):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
    inbox.journal.close()
    written = b"".join(path.read_bytes() for path in (tmp_path / "spool").glob("journal*"))
    for named in (one.StudyInstanceUID, one.SOPInstanceUID, PATIENT):
        assert str(named).encode() not in written
        assert not any(str(named) in str(path) for path in (tmp_path / "spool").rglob("*"))


@pytest.mark.parametrize("trick", ["../../../../tmp/evil", "/etc/cron.d/evil", "1.2\0.3", "..", "", "1" * 65])
def test_tricks_in_identifiers_are_no_paths(tmp_path: Path, trick: str):
    inbox = Inbox(tmp_path / "a" / "spool", FREE)
    with pytest.raises(Refused) as caught:
        put(inbox, picture("1.2.3"), trick or "-")
    assert caught.value.status == 0x0117
    with pydicom.config.disable_value_validation():
        other = picture(trick or "-")
    with pytest.raises(Refused) as caught:
        put(inbox, other)
    assert caught.value.status == 0xC000
    assert [path for path in tmp_path.rglob("*") if path.is_file() and "spool" not in path.parts] == []
    assert list((tmp_path / "a" / "spool" / "instances").iterdir()) == []


def test_the_same_instance_again_is_taken_once(tmp_path: Path):
    inbox = Inbox(tmp_path, FREE)
    first, again = put(inbox, picture("1.2.3")), put(inbox, picture("1.2.3"))
    assert (first.new, again.new, again.status) == (True, False, 0)
    assert len(inbox.files_of(first.study)) == 1


def test_another_content_of_the_same_instance_is_told_by_a_warning_and_the_first_is_kept(tmp_path: Path):
    inbox = Inbox(tmp_path, FREE)
    kept = put(inbox, picture("1.2.3"))
    assert put(inbox, picture("1.2.3", PatientID="other")).status == 0xB000
    (path,) = inbox.files_of(kept.study)
    assert pydicom.dcmread(path).PatientID != "other"


def test_the_same_identifier_in_another_study_is_refused(tmp_path: Path):
    inbox, first = Inbox(tmp_path, FREE), picture("1.2.3")
    put(inbox, first)
    with pytest.raises(Refused, match="another study"):
        put(inbox, picture("1.2.4", SOPInstanceUID=first.SOPInstanceUID))


def test_a_command_that_speaks_of_another_object_is_refused(tmp_path: Path):
    with pytest.raises(Refused) as caught:
        put(Inbox(tmp_path, FREE), picture("1.2.3"), "1.2.3.4.5")
    assert caught.value.status == 0xA900


@pytest.mark.parametrize("fault", ["write", "sync", "free", "journal"])
def test_a_full_disk_is_a_status_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str):
    inbox = Inbox(tmp_path, Limits(free_megabytes=10**12) if fault == "free" else FREE)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if fault == "sync":
        monkeypatch.setattr(os, "fsync", full)
    if fault == "write":
        # A device of the system that is always full.
        system_open = os.open
        monkeypatch.setattr(os, "open", lambda path, flags, mode=0o600: system_open("/dev/full", os.O_RDWR))
    if fault == "journal":
        inbox.journal._connection.execute("PRAGMA max_page_count = 1")
        inbox.journal._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(Refused) as caught:
        put(inbox, picture("1.2.3", side=64 if fault == "write" else 32))
    assert caught.value.status == 0xA700
    monkeypatch.undo()
    assert list((tmp_path / "incoming").iterdir()) == []
    inbox.journal._connection.execute("PRAGMA query_only = 0")
    inbox.journal._connection.execute("PRAGMA max_page_count = 1000000")
    inbox.limits = FREE
    assert put(inbox, picture("1.2.3", seed=1)).status == 0


def test_more_than_a_study_may_have_is_refused(tmp_path: Path):
    inbox = Inbox(tmp_path, Limits(free_megabytes=0, instances_per_study=2))
    for seed in range(2):
        put(inbox, picture("1.2.3", seed=seed))
    with pytest.raises(Refused, match="more than 2 instances"):
        put(inbox, picture("1.2.3", seed=2))
    assert put(inbox, picture("1.2.3", seed=1)).status == 0
    assert put(inbox, picture("1.2.4", seed=3)).status == 0


def test_what_a_crash_left_unacknowledged_is_gone_at_the_next_start_and_the_rest_is_there(tmp_path: Path):
    inbox = Inbox(tmp_path, FREE)
    kept = put(inbox, picture("1.2.3"))
    inbox.path_of(kept.study, "0" * 64).write_bytes(b"renamed, and not in the journal")
    (tmp_path / "incoming" / "half").write_bytes(b"half")
    (tmp_path / "results" / "1-aa.partial").mkdir()
    inbox.journal.close()
    again = Inbox(tmp_path, FREE)
    assert len(again.files_of(kept.study)) == 1
    assert len(list((tmp_path / "instances").glob("*/*"))) == 1
    assert not list((tmp_path / "incoming").iterdir()) + list((tmp_path / "results").iterdir())


def test_a_removed_instance_that_comes_again_is_on_the_disk_again(tmp_path: Path):
    inbox = Inbox(tmp_path, FREE)
    kept = put(inbox, picture("1.2.3"))
    assert inbox.remove(kept.study)
    assert inbox.files_of(kept.study) == []
    again = put(inbox, picture("1.2.3"))
    assert (again.study, again.new) == (kept.study, True)
    assert inbox.files_of(kept.study)[0].is_file()


def test_a_study_is_not_removed_under_an_instance_that_arrives(tmp_path: Path):
    inbox = Inbox(tmp_path, FREE)
    kept = put(inbox, picture("1.2.3"))
    with inbox.keeping(kept.study):
        assert not inbox.remove(kept.study)
    assert inbox.remove(kept.study)


def test_associations_share_commits_and_each_gets_its_own_answer(tmp_path: Path):
    inbox, answers = Inbox(tmp_path, FREE), dict[int, int]()

    def arrive(sender: int) -> None:
        for seed in range(10):
            answers[sender * 10 + seed] = put(inbox, picture(f"1.2.{sender}", seed=seed)).study

    threads = [threading.Thread(target=arrive, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 40
    for sender in range(4):
        (study,) = {answers[sender * 10 + seed] for seed in range(10)}
        assert len(inbox.files_of(study)) == 10


def test_a_failed_commit_fails_those_who_share_it_and_no_later_one(tmp_path: Path):
    book = journal.Journal(tmp_path)

    def bad(_: Any) -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        book.change(bad)
    assert book.change(lambda connection: connection.execute("SELECT 1").fetchone()[0]) == 1
    assert SimpleNamespace(**journal.look(tmp_path)).studies == {}
