"""A picture that nobody outlined is scored on a proposed region, and everything that comes out says so."""

import json
from pathlib import Path

import pytest
from PIL import Image

from isthmus.errors import InputError, RegionMissing
from isthmus.explain import prediction
from isthmus.explain.prediction import predict_files
from isthmus.imaging.preparation import Preparation
from isthmus.inference.localiser import Localiser
from tests.inference.discs import Blind, dark_localiser, disc_picture
from tests.inference.small_models import bundle

LOCALISER = Path("localiser")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(tmp_path_factory.mktemp("model") / "bundle")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, dark_localiser())


def use(monkeypatch: pytest.MonkeyPatch, localiser: Localiser) -> None:
    monkeypatch.setattr(prediction, "load_localiser", lambda folder, device: localiser)


def disc(path: Path, *discs: tuple[int, int, int]) -> Path:
    Image.fromarray(disc_picture(0, *discs)[0]).save(path)
    return path


@pytest.mark.usefixtures("found")
def test_the_region_is_proposed_and_every_output_says_so(model: Path, tmp_path: Path) -> None:
    path = disc(tmp_path / "a.png", (60, 50, 20))
    done = predict_files(model, [path], tmp_path / "out", localiser=LOCALISER, explain=True, device="cpu")
    [one] = done.predictions
    assert one.region_source == "proposed"
    written = json.loads((tmp_path / "out" / "predictions.json").read_text("utf-8"))
    assert written["predictions"][0]["region_source"] == "proposed"
    assert "proposed by a localiser, not drawn (box " in written["predictions"][0]["notes"][0]
    assert written["localiser"]["name"] == "dark"
    assert ",proposed," in (tmp_path / "out" / "predictions.csv").read_text("utf-8")
    words = "\n".join(done.lines())
    assert "look at it before you use the score" in words
    assert "nobody drew them" in words
    assert json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))["localiser"]["fingerprint"]
    assert done.to_json()["localiser"]["least_confidence"] == 0.6


@pytest.mark.usefixtures("found")
def test_the_score_is_that_of_the_proposed_box_when_it_is_drawn(model: Path, tmp_path: Path) -> None:
    path = disc(tmp_path / "a.png", (60, 50, 20))
    proposed = predict_files(model, [path], tmp_path / "one", localiser=LOCALISER, device="cpu").predictions[0]
    box = proposed.notes[0].partition("(box ")[2].partition(", confidence")[0]
    drawn = predict_files(model, [path], tmp_path / "two", box=box, device="cpu").predictions[0]
    assert drawn.region_source == "drawn"
    assert drawn.probability == pytest.approx(proposed.probability, abs=1e-6)


def test_where_no_region_is_found_nothing_is_scored_and_the_picture_is_listed(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, dark_localiser())
    study = tmp_path / "study"
    study.mkdir()
    disc(study / "a.png", (60, 50, 20))
    disc(study / "b.png")
    done = predict_files(model, [study], tmp_path / "out", localiser=LOCALISER, device="cpu")
    assert [one.sources for one in done.predictions] == [("a.png",)]
    assert [failure.source for failure in done.failed] == ["b.png"]
    assert "region not found" in done.failed[0].reason
    use(monkeypatch, dark_localiser(Blind(), Blind()))
    with pytest.raises(RegionMissing, match="region not found"):
        predict_files(model, [study / "a.png"], tmp_path / "again", localiser=LOCALISER, device="cpu")
    assert not (tmp_path / "again").exists()


@pytest.mark.usefixtures("found")
def test_a_localiser_beside_a_region_or_without_a_use_is_refused(model: Path, tmp_path: Path) -> None:
    path = disc(tmp_path / "a.png", (60, 50, 20))
    with pytest.raises(InputError, match="a region and a localiser were given"):
        predict_files(model, [path], tmp_path / "out", box="40,30,80,70", localiser=LOCALISER, device="cpu")
    whole = bundle(
        tmp_path / "whole",
        prepare=Preparation(crop="scan_area", train_size=64),
        requires={"modalities": ["bmode"], "region": "none"},
    )
    with pytest.raises(InputError, match="needs no region"):
        predict_files(whole, [path], tmp_path / "out", localiser=LOCALISER, device="cpu")
