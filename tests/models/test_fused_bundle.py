"""Fused bundles: what is written is what is read, every alteration is noticed, and nothing in them is executed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import BundleError, OutputError
from isthmus.files import read_json, read_yaml, sha256_of_file, write_json, write_yaml
from isthmus.inference.fused_predictor import load_fused_bundle
from isthmus.models.bundle import read_bundle
from isthmus.models.coded_head import CodedHead
from isthmus.models.fused_bundle import is_fused_bundle, load_heads, read_fused_bundle, write_fused_bundle
from tests.inference.small_fused import REQUIRES, WIDTH, fused_bundle, fused_spec, head, member


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fused_bundle(tmp_path_factory.mktemp("fused") / "bundle")


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "bundle")
    return tmp_path / "bundle"


def test_what_is_written_is_what_is_read(written: Path) -> None:
    spec = read_fused_bundle(written)
    assert [one.arm for one in spec.members] == list(REQUIRES)
    assert is_fused_bundle(written)
    assert not is_fused_bundle(written / "members" / "image")
    assert read_bundle(written / "members" / "image").name == "small/combined/image"
    features = np.random.default_rng(0).normal(size=(3, 2 * WIDTH))
    cases = pd.DataFrame({"age_years": [30.0, None, 60.0], "sex": ["F", "M", None]})
    blocks = {"image": features[:, :WIDTH], "ceus_video": features[:, WIDTH:]}
    for number, found in enumerate(load_heads(written, spec)):
        own = head(number)
        np.testing.assert_array_equal(
            found.head.probabilities(found.features(blocks, cases)), own.head.probabilities(own.features(blocks, cases))
        )


def test_there_is_no_pickle_in_it_and_the_same_model_has_the_same_bytes(written: Path, tmp_path: Path) -> None:
    again = fused_bundle(tmp_path / "again")
    files = sorted(path.relative_to(written) for path in written.rglob("*") if path.is_file())
    assert {path.suffix for path in files} == {".yaml", ".md", ".json", ".safetensors", ".skops"}
    assert all((written / path).read_bytes() == (again / path).read_bytes() for path in files)
    assert not any((written / path).read_bytes().startswith(b"\x80") for path in files)


def test_the_card_says_members_columns_how_the_heads_learnt_and_that_it_is_simulated(written: Path) -> None:
    card = (written / "card.md").read_text(encoding="utf-8")
    assert "does not say how unlike its training pictures a case is" in card
    for words in (
        "SIMULATED", "`image`: bmode; a box around the lesion", "`ceus_video`: ceus; no region",
        "column `age_years`: a number (training cases: 20 to 80); not known counts as the training cases' mean",
        "only from patients that its networks never saw", "the mean of 2 pairs", "Positive from 0.5000",
        "A case may lack members",
    ):  # fmt: skip
        assert words in card


@pytest.mark.parametrize(
    "file",
    [
        "members/image/bundle.yaml", "members/image/parts/1.safetensors", "members/ceus_video/parts/0.safetensors",
        "fusion/0/head.json", "fusion/1/columns.json", "fusion/1/classifier.skops",
    ],
)  # fmt: skip
def test_a_file_that_is_altered_or_missing_is_one_clear_error(folder: Path, file: str) -> None:
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match="altered or damaged"):
        load_fused_bundle(folder, "cpu")
    (folder / file).unlink()
    with pytest.raises(BundleError, match=r"missing|no bundle"):
        load_fused_bundle(folder, "cpu")


def test_members_and_heads_must_fit_each_other(folder: Path, tmp_path: Path) -> None:
    place = folder / "bundle.yaml"
    said = read_yaml(place)
    write_yaml(place, {**said, "heads": said["heads"][:1]})
    with pytest.raises(BundleError, match=r"has 2 parts .*expected 1"):
        read_fused_bundle(folder)
    write_yaml(place, {**said, "members": said["members"][::-1]})
    with pytest.raises(BundleError, match="this head joins image, ceus_video, clinical"):
        load_fused_bundle(folder, "cpu")
    write_yaml(place, {**said, "where_absent": "leave_out"})
    with pytest.raises(BundleError, match="differ in where_absent"):
        load_fused_bundle(folder, "cpu")
    write_yaml(place, {**said, "classes": {"0": "other", "1": "words"}})
    with pytest.raises(BundleError, match="answers another question"):
        read_fused_bundle(folder)
    with pytest.raises(BundleError, match="do not match"):
        write_fused_bundle(tmp_path / "x", fused_spec(), {"image": member("image")}, [head(0), head(1)])
    with pytest.raises(OutputError):
        fused_bundle(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "isthmus-fused-bundle/2.0"}, "newer than this Isthmus reads"),
        ({"members": [{"arm": "../image", "requires": REQUIRES["image"], "sha256": "0" * 64}]}, "members.0.arm"),
        ({"thresholds": None}, "thresholds"),
    ],
)
def test_a_bundle_that_says_what_cannot_be_is_refused(folder: Path, change: dict[str, object], words: str) -> None:
    write_yaml(folder / "bundle.yaml", {**read_yaml(folder / "bundle.yaml"), **change})
    with pytest.raises(BundleError, match=words):
        read_fused_bundle(folder)


def test_a_bundle_says_the_format_that_knows_a_mean_and_older_ones_are_read(folder: Path) -> None:
    said = read_yaml(folder / "bundle.yaml")
    assert said["format"] == "isthmus-fused-bundle/1.2"
    write_yaml(folder / "bundle.yaml", {**said, "format": "isthmus-fused-bundle/1.0"})
    assert read_fused_bundle(folder).mode == "cross_fit"
    assert len(load_fused_bundle(folder, "cpu").heads) == 2


def test_columns_that_say_what_cannot_be_are_refused(folder: Path) -> None:
    place = folder / "fusion" / "0" / "columns.json"
    said = read_json(place)
    for broken in ({"per": 0.0}, {"fill": "old"}, {"kind": "other"}, {"column": "size_mm"}):
        write_json(place, {**said, "terms": [{**said["terms"][0], **broken}, *said["terms"][1:]]})
        with pytest.raises(BundleError):
            CodedHead.read(place.parent)
    place.write_text(json.dumps({"format": "isthmus-fused-columns/1.0"}), encoding="utf-8")
    with pytest.raises(BundleError, match="not valid"):
        CodedHead.read(place.parent)


def test_a_member_of_another_width_is_a_clear_error(written: Path) -> None:
    (one, _) = load_heads(written, read_fused_bundle(written))
    cases = pd.DataFrame({"age_years": [30.0], "sex": ["F"]})
    with pytest.raises(BundleError, match=r"member image gives 3 values; expected 64"):
        one.features({"image": np.zeros((1, 3))}, cases)


def test_hashes_chain_from_the_top(written: Path) -> None:
    spec = read_fused_bundle(written)
    assert spec.members[0].sha256 == sha256_of_file(written / "members" / "image" / "bundle.yaml")
    assert spec.heads[1].sha256["head.json"] == sha256_of_file(written / "fusion" / "1" / "head.json")
