"""The run record: the same for the same work, with nothing of the machine's owner in it."""

import getpass

from isthmus.files import read_json, sha256_of_file
from isthmus.manifest import DISCLAIMER, Manifest


def test_a_manifest_names_outputs_by_their_hash_and_no_absolute_path(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.csv").write_text("x")
    record = Manifest("evaluate", {"arms": ["a"]})
    with record.stage("work"):
        pass
    record.write(tmp_path, [tmp_path / "a" / "x.csv"])
    content = read_json(tmp_path / "manifest.json", name="manifest")
    assert content["outputs"] == {"a/x.csv": sha256_of_file(tmp_path / "a" / "x.csv")}
    assert content["notice"] == DISCLAIMER
    text = (tmp_path / "manifest.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert f'"{getpass.getuser()}"' not in text
    assert list(read_json(tmp_path / "timing.json", name="timing")["seconds"]) == ["work"]


def test_the_same_work_gives_the_same_manifest(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Manifest("evaluate").write(tmp_path / name)
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()
