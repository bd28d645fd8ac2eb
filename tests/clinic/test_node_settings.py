"""A node's file: what it may say, and what it is told when it says something else."""

from pathlib import Path

import pytest
from pydicom.uid import UID

from isthmus.clinic.node_settings import SOP_CLASSES, example_text, read_node_settings
from isthmus.errors import InputError


def read(tmp_path: Path, text: str):
    path = tmp_path / "node.yaml"
    path.write_text(text)
    return read_node_settings(path)


def test_the_example_is_a_node_that_only_this_machine_reaches(tmp_path: Path):
    settings = read(tmp_path, example_text())
    assert settings.listen.address == "127.0.0.1"
    assert settings.spool == tmp_path / "spool"
    assert settings.peers["pacs"].called_at().port == 4242
    assert settings.pull == []
    assert settings.tls is None


def test_what_the_example_holds_behind_its_marks_is_right_too(tmp_path: Path):
    text = example_text().replace("  # archive", "  archive").replace("  #   ", "    ")
    text = text.replace("\n# tls", "\ntls").replace("\n# pull", "\npull").replace("\n#   ", "\n  ")
    settings = read(tmp_path, text)
    assert [pull.kind for pull in settings.pull] == ["dicom", "dicomweb"]
    assert settings.destinations["archive"].kind == "dicomweb"
    assert settings.tls.certificate == tmp_path / "node.crt"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("port: 11112", "port: 70000", "listen.port is 70000; expected less than or equal to 65535"),
        ("quiet_s: 60", "quiet: 60", "unknown key 'study.quiet'; did you mean 'quiet_s'?"),
        ("attempts: 8", "attempts: often", "retry.attempts is 'often'; expected a whole number"),
        ("kind: dicom ", "kind: ftp ", "destinations.pacs.kind is 'ftp'; expected 'dicom', 'dicomweb'"),
        ("hosts: [127.0.0.1]", "hosts: [pacs/24]", "peers.pacs.hosts.0 is 'pacs/24'; expected an address or a network"),
        ("hosts: [127.0.0.1]", "hosts: []", "peers.pacs.hosts; expected at least one entry"),
        ("ISTHMUS  ", "ISTHMUS-OF-THE-WARD", "ae_title is 'ISTHMUS-OF-THE-WARD'; expected an AE title"),
        ("- UltrasoundImageStorage\n", "- CTImageStorage\n", "sop_classes.0 is 'CTImageStorage'; expected 'Ultra"),
        ("address: 127.0.0.1             ", "address: localhost ", "listen.address is 'localhost'; expected an"),
        ("spool: spool", "spools: spool", "the key 'spool' is missing; unknown key 'spools'; did you mean 'spool'?"),
        ("isthmus-node/1.0", "isthmus-node/2.0", "newer than this Isthmus reads"),
        ("    port: 4242\n\n# Where", "    tls: yes\n\n# Where", "needs the section tls"),
        ("format: isth", "pull: [{kind: dicom, peer: pax}]\nformat: isth", "pull.0.peer: 'pax' is not among the peers"),
        ("stalled_s: 30", "stalled_s: .inf", "limits.stalled_s is inf; expected a finite number"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_place_and_what_was_expected(tmp_path: Path, right: str, wrong: str, told: str):
    assert right in example_text()
    with pytest.raises(InputError) as caught:
        read(tmp_path, example_text().replace(right, wrong, 1))
    assert told in str(caught.value)
    assert "node.yaml" in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path):
    text = example_text().replace("port: 11112", "port: x").replace("attempts: 8", "attempts: 0")
    with pytest.raises(InputError, match=r"listen\.port.*retry\.attempts"):
        read(tmp_path, text)


def test_the_identifiers_of_classes_are_those_of_the_standard():
    # PS3.6 annex A as pydicom has it.
    for name, uid in SOP_CLASSES.items():
        assert UID(uid).type == "SOP Class"
        assert bool(UID(uid).is_retired) == name.endswith("Retired")
        assert UID(uid).keyword in (name, name.removesuffix("Retired"), "")
