"""The predict command's work, from files to a folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError, OutputError, RegionMissing
from isthmus.explain.prediction import predict_files
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.region import find_scan_area
from isthmus.inference.input_files import find_pictures
from tests.inference.small_models import bundle, picture


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(tmp_path_factory.mktemp("model") / "bundle", smoke=True)


def test_one_picture_with_its_box_leaves_scores_overlay_and_manifest(model: Path, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    out = tmp_path / "out"
    done = predict_files(model, [path], out, box="40,30,100,80", explain=True, device="cpu")
    names = sorted(entry.relative_to(out).as_posix() for entry in out.rglob("*") if entry.is_file())
    assert names == ["manifest.json", "overlays/001_a.png", "predictions.csv", "predictions.json", "timing.json"]
    with Image.open(out / "overlays" / "001_a.png") as drawn:
        assert drawn.width == 640
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert sorted(manifest["outputs"]) == ["overlays/001_a.png", "predictions.csv", "predictions.json"]
    assert str(tmp_path) not in json.dumps(manifest)
    assert done.failed == []
    lines = "\n".join(done.lines())
    assert "calibrated probability" in lines
    assert "suspicious (" in lines
    assert "SMOKE" in lines
    assert "Research use only" in lines
    json.dumps(done.to_json())


def test_the_same_prediction_again_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    for name in ("one", "two"):
        predict_files(model, [path], tmp_path / name, box="40,30,100,80", explain=True, device="cpu")
    for file in ("predictions.csv", "predictions.json", "manifest.json", "overlays/001_a.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_folder_is_scored_whole_and_its_bad_picture_listed(tmp_path: Path) -> None:
    whole = bundle(
        tmp_path / "bundle",
        prepare=Preparation(crop="scan_area", train_size=64),
        requires={"modalities": ["bmode"], "region": "none"},
    )
    folder = tmp_path / "study"
    folder.mkdir()
    picture(folder / "a.png", 0)
    picture(folder / "c.png", 1)
    (folder / "b.jpg").write_bytes(b"\xff\xd8\xff cut")
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    done = predict_files(whole, [folder], tmp_path / "out", explain=True, device="cpu")
    assert [one.sources for one in done.predictions] == [("a.png",), ("c.png",)]
    assert [failure.source for failure in done.failed] == ["b.jpg"]
    assert [path.name for path in done.overlays] == ["001_a.png", "003_c.png"]
    assert any(line.startswith("b.jpg: not scored") for line in done.lines())


def test_without_a_region_nothing_is_scored_and_nothing_is_left(model: Path, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    with pytest.raises(RegionMissing):
        predict_files(model, [path], tmp_path / "out", device="cpu")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.png"]


def test_one_box_for_two_pictures_is_refused(model: Path, tmp_path: Path) -> None:
    paths = [picture(tmp_path / name) for name in ("a.png", "b.png")]
    with pytest.raises(InputError, match="one box was given for 2 pictures"):
        predict_files(model, paths, tmp_path / "out", box="40,30,100,80")


def test_a_destination_that_exists_is_refused_before_any_work(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept.txt").write_text("kept", encoding="utf-8")
    with pytest.raises(OutputError):
        predict_files(model, [tmp_path / "absent.png"], tmp_path / "out")


def test_pictures_are_found_by_suffix_or_by_dicom_mark(tmp_path: Path) -> None:
    picture(tmp_path / "b.PNG")
    (tmp_path / "IM0001").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "readme").write_bytes(b"text")
    assert [path.name for path in find_pictures([tmp_path])] == ["IM0001", "b.PNG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no picture in this folder"):
        find_pictures([tmp_path / "empty"])
    with pytest.raises(InputError, match="no such file or folder"):
        find_pictures([tmp_path / "absent"])


def test_a_real_picture_is_scored_and_drawn(model: Path, tmp_path: Path, data_folder: Path) -> None:
    path = data_folder / "ddti" / "100_1.jpg"
    if not path.is_file():
        pytest.skip("the DDTI pictures are not here")
    done = predict_files(model, [path], tmp_path / "out", box="62,30,271,156", explain=True, device="cpu")
    with Image.open(done.overlays[0]) as drawn, Image.open(path) as source:
        pixels, original = np.asarray(drawn), np.asarray(source.convert("RGB"))
    # Only the panel that holds the lesion is drawn; the other plane, the printed text and its margins are cut off.
    x0, y0, x1, y1 = (round(edge) for edge in find_scan_area(original).panels[0])
    factor = drawn.width // (x1 - x0)
    assert drawn.width == factor * (x1 - x0)
    # Below the network's window (62..271, 30..156 and its margin) the panel is as it was, but for the enlargement.
    below = pixels[(220 - y0) * factor : (y1 - y0) * factor : factor, ::factor].astype(int)
    assert np.abs(below - original[220:y1, x0:x1].astype(int)).mean() < 12
