"""A bundle in one file: the same bytes each time, nothing in it that must stay at home, nothing out of it unchecked."""

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from isthmus import cli
from isthmus.errors import BundleError, CohortError, OutputError
from isthmus.files import read_yaml, sha256_of_json, write_yaml
from isthmus.models.bundle_archive import MANIFEST, pack_bundle, unpack_bundle
from isthmus.models.bundle_facts import facts_of_bundle, lines_of
from isthmus.models.bundle_files import hashes_of
from isthmus.models.bundle_terms import training_rows
from tests.inference.discs import write_disc_cohort
from tests.inference.small_fused import fused_bundle, fused_spec
from tests.inference.small_models import bundle, bundle_spec

COHORT = {
    "name": "East Hospital",
    "fingerprint": "0" * 64,
    "licence": "CC BY 4.0",
    "simulated": False,
    "reference": "surgery",
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(tmp_path_factory.mktemp("kept") / "bundle", cohort=COHORT)


@pytest.fixture(scope="module")
def packed(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("packed") / "model.zip"
    pack_bundle(kept, place)
    return place


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A bundle that a test may change."""
    return bundle(tmp_path / "bundle", parts=1, cohort=COHORT)


def test_it_comes_out_as_it_went_in(kept, packed, tmp_path):
    unpack_bundle(packed, tmp_path / "again")
    assert hashes_of(tmp_path / "again") == hashes_of(kept)
    assert set(hashes_of(kept)) == {"bundle.yaml", "card.md", "parts/0.safetensors", "parts/1.safetensors"}


def test_the_same_bundle_gives_the_same_bytes_whenever_it_is_packed(kept, packed, tmp_path):
    (kept / "card.md").touch()
    pack_bundle(kept, tmp_path / "second.zip")
    assert (tmp_path / "second.zip").read_bytes() == packed.read_bytes()


def test_any_zip_program_reads_it_and_the_manifest_has_the_hashes(packed):
    with zipfile.ZipFile(packed) as opened:
        assert opened.testzip() is None
        manifest = json.loads(opened.read(MANIFEST))
        for name, said in manifest["files"].items():
            content = opened.read(name)
            assert (len(content), hashlib.sha256(content).hexdigest()) == (said["bytes"], said["sha256"])
    assert "Research use only" in manifest["notice"]
    assert manifest["bundle"]["licences"] == {"data": "CC BY 4.0", "weights": ["none needed"]}


def test_a_fused_bundle_travels_with_its_members_and_heads(tmp_path):
    cohort = {**COHORT, "simulated": True}
    folder = fused_bundle(tmp_path / "fused", cohort=cohort)
    manifest = pack_bundle(folder, tmp_path / "fused.zip")
    unpack_bundle(tmp_path / "fused.zip", tmp_path / "again")
    assert hashes_of(tmp_path / "again") == hashes_of(folder)
    assert {"fusion/1/head.json", "members/image/bundle.yaml", "members/ceus_video/parts/1.safetensors"} <= set(
        manifest["files"]
    )
    facts = facts_of_bundle(tmp_path / "again")
    assert (facts["kind"], facts["marks"], facts["columns"]) == ("fused", ["SIMULATED"], ["age_years", "sex"])
    assert facts["requires"] == {"modalities": ["bmode", "ceus"], "region": "box"}


def rewritten(folder: Path, **changes: Any) -> Path:
    path = folder / "bundle.yaml"
    write_yaml(path, read_yaml(path) | changes)
    return folder


@pytest.mark.parametrize("licence", ["none", "", " Not stated ", "unknown"])
def test_without_a_stated_licence_of_data_or_weights_it_is_not_packed(model, tmp_path, licence):
    rewritten(model, cohort={**COHORT, "licence": licence})
    with pytest.raises(BundleError, match=r"licence and limits required: the licence of the cohort 'East Hospital'"):
        pack_bundle(model, tmp_path / "m.zip")
    weights = {"origin": "somebody's file", "licence": licence, "sha256": None, "notes": []}
    rewritten(model, cohort=COHORT, weights=weights)
    with pytest.raises(BundleError, match="initial weights"):
        pack_bundle(model, tmp_path / "m.zip")
    assert not (tmp_path / "m.zip").exists()


@pytest.mark.parametrize("title", ["## Limits", "## Intended use"])
def test_without_intended_use_or_limits_in_the_card_it_is_not_packed(model, tmp_path, title):
    card = (model / "card.md").read_text()
    start = card.index(title)
    (model / "card.md").write_text(card[:start] + title + "\n" + card[card.index("\n## ", start) :])
    with pytest.raises(BundleError, match=rf"nothing under '{title}'"):
        pack_bundle(model, tmp_path / "m.zip")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("trained from /home/li/export/pathology.xlsx", "an absolute path"),
        (r"trained from C:\Users\li\export", "an absolute path"),
        (r"trained from \\server\share\export", "an absolute path"),
        ("trained from ~/export", "an absolute path"),
        ("study 1.2.840.113619.2.55.3.604688119.969", "a DICOM UID"),
    ],
)
def test_a_path_of_somebodys_machine_or_a_uid_is_found_and_named_by_its_line(model, tmp_path, text, what):
    card = (model / "card.md").read_text()
    (model / "card.md").write_text(card + text + "\n")
    with pytest.raises(BundleError, match=f"{what} stands") as refused:
        pack_bundle(model, tmp_path / "m.zip")
    assert f"card.md, line {len(card.splitlines()) + 1}" in str(refused.value)
    assert text not in str(refused.value)


def test_a_path_inside_an_exported_graph_is_found(model, tmp_path):
    (model / "model.onnx").write_bytes(b"\x08\x07" * 600_000 + b"/home/li/isthmus/network.py" + b"\x00" * 99)
    with pytest.raises(BundleError, match=r"somebody's machine.*model\.onnx"):
        pack_bundle(model, tmp_path / "m.zip")


def test_links_web_addresses_and_shares_of_the_card_are_no_paths(model, tmp_path):
    card = (model / "card.md").read_text()
    (model / "card.md").write_text(card + "see https://doi.org/10.1038/s41598 and/or `members/a/card.md`, 3/4/5\n")
    pack_bundle(model, tmp_path / "m.zip")


def test_an_id_of_the_cohort_is_found_as_a_whole_word_and_not_shown(tmp_path):
    cohort = write_disc_cohort(tmp_path / "cohort", 2)
    views = (cohort / "views.csv").read_text().replace("000_0,", "HN-4711,", 1)
    (cohort / "views.csv").write_text(views)
    from isthmus.cohort.cohort import load_cohort

    facts = {**COHORT, "fingerprint": load_cohort(cohort).fingerprint()}
    model = bundle(tmp_path / "bundle", parts=1, cohort=facts)
    words = ["bundle", "pack", str(model), str(tmp_path / "m.zip"), "--cohort", str(cohort)]
    assert CliRunner().invoke(cli.app, words).output.splitlines()[1] == "4 ids of the cohort looked for, none found"
    (tmp_path / "m.zip").unlink()
    (model / "card.md").write_text((model / "card.md").read_text() + "best seen in HN-4711.\n")
    refused = CliRunner().invoke(cli.app, words).exception
    assert isinstance(refused, BundleError)
    assert "a patient's id stands" in str(refused)
    assert "4711" not in str(refused)
    words[2] = str(bundle(tmp_path / "other", parts=1, cohort=COHORT))
    assert isinstance(CliRunner().invoke(cli.app, words).exception, CohortError)


@pytest.mark.parametrize("extra", ["parts/notes.txt", "pictures/P1.png", "fusion/0/head.json", "old.zip"])
def test_what_is_no_part_of_a_bundle_stays_at_home(model, tmp_path, extra):
    (model / extra).parent.mkdir(exist_ok=True, parents=True)
    (model / extra).write_bytes(b"x")
    with pytest.raises(BundleError, match="no part of a bundle"):
        pack_bundle(model, tmp_path / "m.zip")


def test_an_altered_part_a_link_or_a_file_in_the_way_is_refused(model, tmp_path):
    (tmp_path / "m.zip").touch()
    with pytest.raises(OutputError):
        pack_bundle(model, tmp_path / "m.zip")
    content = (model / "parts" / "0.safetensors").read_bytes()
    (model / "parts" / "0.safetensors").write_bytes(content[:-1] + b"\x07")
    with pytest.raises(BundleError, match="altered"):
        pack_bundle(model, tmp_path / "n.zip")
    (model / "parts" / "0.safetensors").rename(tmp_path / "elsewhere")
    (model / "parts" / "0.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="a link"):
        pack_bundle(model, tmp_path / "n.zip")


def test_rows_of_single_patients_leave_only_when_asked_for(tmp_path):
    from isthmus.models.bundle import write_bundle
    from isthmus.models.bundle_terms import refuse_untold
    from isthmus.models.registry import create
    from isthmus.models.training_likeness import TrainingLikeness
    from isthmus.statistics.out_of_distribution import Neighbours, Scale

    rows = np.random.default_rng(0).normal(size=(6, 64))
    likeness = TrainingLikeness([Neighbours(rows, 2)], [Scale(0.0, 1.0)], np.arange(6.0), [], "the better one")
    spec = bundle_spec(parts=1, cohort=COHORT)
    state = create("resnet18", classes=2, channels=1, width=8).state_dict()
    write_bundle(tmp_path / "b", spec, [state], likeness=likeness)
    with pytest.raises(BundleError, match=r"rows of single patients.*the embedding of every training picture"):
        pack_bundle(tmp_path / "b", tmp_path / "m.zip")
    manifest = pack_bundle(tmp_path / "b", tmp_path / "m.zip", with_training_rows=True)
    assert len(manifest["bundle"]["training_rows"]) == 1
    assert training_rows(fused_spec(classifier="knn"))
    assert not training_rows(fused_spec(classifier="logistic"))
    refuse_untold(tmp_path / "b", spec, [], with_training_rows=False)  # without likeness there is nothing to ask for


# What a stranger may send. Each builds entries from those of a good archive: (name, content, how its entry differs).
Entry = tuple[str, bytes, dict[str, Any]]


def entries_of(packed: Path) -> list[Entry]:
    with zipfile.ZipFile(packed) as opened:
        return [(entry.filename, opened.read(entry), {}) for entry in opened.infolist()]


def archive_of(path: Path, entries: list[Entry], *, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, content, said in entries:
            entry = zipfile.ZipInfo("x", (1980, 1, 1, 0, 0, 0))
            entry.filename, entry.compress_type = name, compression
            for key, value in said.items():
                setattr(entry, key, value)
            made.writestr(entry, content)
    return path


def restated(entries: list[Entry], *more: tuple[str, bytes]) -> list[Entry]:
    """Return entries with others beside them, and a manifest that says so: what a clever stranger would send."""
    manifest = json.loads({name: content for name, content, _ in entries}[MANIFEST])
    for name, content in more:
        manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["sha256"] = sha256_of_json({name: said["sha256"] for name, said in sorted(manifest["files"].items())})
    others = [entry for entry in entries if entry[0] != MANIFEST and entry[0] not in dict(more)]
    return [(MANIFEST, json.dumps(manifest).encode(), {}), *others, *((name, content, {}) for name, content in more)]


LINK = {"external_attr": (stat.S_IFLNK | 0o777) << 16, "create_system": 3}
EVIL: dict[str, tuple[Callable[[list[Entry]], list[Entry]], str]] = {
    "a way up": (lambda old: restated(old, ("../evil.txt", b"x")), "leads out"),
    "an absolute name": (lambda old: restated(old, ("/tmp/evil.txt", b"x")), "leads out"),
    "a drive": (lambda old: restated(old, ("C:evil.txt", b"x")), "leads out"),
    "a backslash": (lambda old: restated(old, ("..\\evil.txt", b"x")), "leads out"),
    "a folder": (lambda old: [*old, ("parts/", b"", {})], "leads out"),
    "a link": (lambda old: [*old, ("parts/2.safetensors", b"/etc/passwd", LINK)], "link"),
    "twice": (lambda old: [*old, old[-1]], "twice"),
    "capitals": (lambda old: [*old, ("CARD.md", b"x", {})], "capitals"),
    "an extra file": (lambda old: [*old, ("parts/9.safetensors", b"x", {})], "says nothing"),
    "an extra file that is stated": (lambda old: restated(old, ("run.py", b"x")), "no part of a bundle"),
    "a zip within": (lambda old: restated(old, ("parts/9.safetensors", b"PK\x03\x04" + b"0" * 99)), "an archive its"),
    "a missing file": (lambda old: [entry for entry in old if entry[0] != "card.md"], "lacks 'card.md'"),
    "no manifest": (lambda old: [entry for entry in old if entry[0] != MANIFEST], "no MANIFEST"),
    "no JSON": (lambda old: [(MANIFEST, b"{", {}), *old[1:]], "cannot be read"),
    "deep JSON": (lambda old: [(MANIFEST, b"[" * 100_000, {}), *old[1:]], "cannot be read"),
    "an altered file": (lambda old: [*old[:-1], (old[-1][0], old[-1][1][:-1] + b"\x07", {})], "not what the manifest"),
    "a longer file": (lambda old: [*old[:-1], (old[-1][0], old[-1][1] + b"\x07", {})], "not what the manifest"),
    "a part that is another": (lambda old: restated(old, ("parts/0.safetensors", b"other")), "altered"),
}  # fmt: skip


@pytest.mark.parametrize("kind", EVIL)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_a_stranger_made_is_refused_in_one_line_and_leaves_nothing(kind, packed, tmp_path):
    change, said = EVIL[kind]
    evil = archive_of(tmp_path / "evil.zip", change(entries_of(packed)))
    with pytest.raises(BundleError) as refused:
        unpack_bundle(evil, tmp_path / "desk" / "model")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list((tmp_path / "desk").rglob("*")) == []
    assert {path.name for path in tmp_path.iterdir()} <= {"evil.zip", "desk"}


def test_a_bomb_is_refused_before_a_byte_of_it_is_unpacked(packed, tmp_path):
    zeros = ("parts/9.safetensors", b"\0" * 20_000_000)
    bomb = archive_of(tmp_path / "bomb.zip", restated(entries_of(packed), zeros), compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 2_000_000
    with pytest.raises(BundleError, match="is compressed"):
        unpack_bundle(bomb, tmp_path / "model")
    # One that counts the same bytes many times: two entries of the list at the same place.
    content = archive_of(tmp_path / "twice.zip", [("a", b"0" * 5000, {}), ("b", b"0" * 5000, {})]).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        start = opened.start_dir
    listed = content[start:]
    cut = content[: start // 2] + listed.replace((start // 2).to_bytes(4, "little"), bytes(4))
    cut = cut[:-6] + (start // 2).to_bytes(4, "little") + cut[-2:]
    (tmp_path / "twice.zip").write_bytes(cut)
    with pytest.raises(BundleError, match=r"more bytes than it has itself|no archive of a bundle"):
        unpack_bundle(tmp_path / "twice.zip", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_what_is_cut_short_no_zip_of_a_newer_format_or_not_there_is_one_clear_line(packed, tmp_path):
    content = packed.read_bytes()
    for name, held in {"cut.zip": content[: len(content) // 2], "text.zip": b"hello", "empty.zip": b""}.items():
        (tmp_path / name).write_bytes(held)
        with pytest.raises(BundleError, match="no archive of a bundle"):
            unpack_bundle(tmp_path / name, tmp_path / "model")
    newer = entries_of(packed)
    newer[0] = (MANIFEST, newer[0][1].replace(b"isthmus-archive/1.0", b"isthmus-archive/2.0"), {})
    with pytest.raises(BundleError, match="newer than this Isthmus reads"):
        unpack_bundle(archive_of(tmp_path / "newer.zip", newer), tmp_path / "model")
    with pytest.raises(BundleError, match="no such file"):
        unpack_bundle(tmp_path / "nowhere.zip", tmp_path / "model")
    with pytest.raises(OutputError):
        unpack_bundle(packed, tmp_path)


def test_inspect_says_of_folder_and_file_the_same(kept, packed):
    said = [CliRunner().invoke(cli.app, ["bundle", "inspect", str(place)]).output for place in (kept, packed)]
    assert said[0] == said[1]
    lines = dict(line.split(":", 1) for line in said[0].splitlines())
    shown = {name: value.strip() for name, value in lines.items()}
    assert shown["model"] == "wang2025/resnet18"
    assert shown["networks"] == "resnet18 (2 fold models; lesion, 64 pixels, gray)"
    assert shown["needs"] == "bmode; region: box"
    assert shown["trained on"] == "East Hospital (patients)"
    assert shown["licences"] == "data: CC BY 4.0; weights: none needed"
    assert shown["threshold"] == "0.5000 (youden)"
    assert shown["rows of patients"] == "none"
    assert shown["runs with"] == "PyTorch"
    facts = json.loads(CliRunner().invoke(cli.app, ["bundle", "inspect", str(packed), "--json"]).output)
    assert lines_of(facts) == said[0].splitlines()
    assert facts["sha256"] == shown["sha256"] == sha256_of_json(hashes_of(kept))


def test_marks_stand_beside_the_name(tmp_path):
    folder = bundle(tmp_path / "b", parts=1, cohort={**COHORT, "simulated": True}, smoke=True)
    assert lines_of(facts_of_bundle(folder))[0].endswith("wang2025/resnet18 [SIMULATED, SMOKE]")


def test_the_commands_lead_from_a_folder_to_a_folder(kept, tmp_path):
    run = CliRunner().invoke
    assert run(cli.app, ["bundle", "pack", str(kept), str(tmp_path / "m.zip")]).exit_code == 0
    done = run(cli.app, ["bundle", "unpack", str(tmp_path / "m.zip"), str(tmp_path / "m"), "--json"])
    assert json.loads(done.output)["sha256"] == sha256_of_json(hashes_of(kept))
    assert hashes_of(tmp_path / "m") == hashes_of(kept)
