"""The resident model: what it says of pictures, and that it says the same as the run did."""

from pathlib import Path

import numpy as np
import pytest
import torch

from isthmus.errors import BundleError, InputError, PictureError, RegionMissing
from isthmus.imaging.cache import CacheItem, PreparedCache
from isthmus.imaging.clip import Clip, Lesion
from isthmus.imaging.read import read_clip
from isthmus.inference.load import load_bundle
from isthmus.inference.pictures import picture_of_clip
from isthmus.inference.prediction import call_in_words
from isthmus.inference.predictor import Predictor
from isthmus.inference.scores import probabilities, view_logits
from isthmus.models.bundle import load_parts
from tests.inference.small_models import BOX, CLASSES, bundle, mask_of_box, picture


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(tmp_path_factory.mktemp("model") / "bundle")


@pytest.fixture
def predictor(model: Path) -> Predictor:
    return load_bundle(model, "cpu")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return [picture(tmp_path / f"{seed}.png", seed) for seed in range(3)]


def test_a_prediction_is_the_calibrated_mean_of_the_parts(
    predictor: Predictor, model: Path, pictures: list[Path]
) -> None:
    found = predictor.predict(pictures, boxes=[BOX] * 3)
    parts = load_parts(model, predictor.spec)
    for path, prediction in zip(pictures, found, strict=True):
        pixels = predictor.read(path, box=BOX).prepared.pixels[None]
        each = [
            probabilities(view_logits(network, pixels, predictor.spec.prepare), part.log_prior_shift)[0]
            for network, part in zip(parts, predictor.spec.parts, strict=True)
        ]
        mean = np.mean(each, axis=0)
        # logit' = 0.3 + 1.2 logit, the bundle's calibration, written out.
        expected = 1 / (1 + np.exp(-(0.3 + 1.2 * np.log(mean[1] / mean[0]))))
        assert prediction.probability == pytest.approx(expected, abs=1e-5)
        assert list(prediction.probabilities.values()) == pytest.approx(list(mean), abs=1e-6)
        assert list(prediction.calibrated_probabilities.values()) == pytest.approx([1 - expected, expected], abs=1e-5)
        low, high = prediction.member_range
        assert low < prediction.probability < high
        assert prediction.sources == (path.name,)


def test_the_call_is_made_at_the_frozen_threshold(tmp_path: Path, pictures: list[Path]) -> None:
    exact = load_bundle(bundle(tmp_path / "a"), "cpu").predict(pictures[:1], boxes=[BOX])[0].probability
    for value, call in ((exact, "1"), (np.nextafter(exact, 1.0), "0")):
        thresholds = {"rule": "youden", "value": value, "chosen_on": "x"}
        loaded = load_bundle(bundle(tmp_path / f"b{call}", thresholds=thresholds), "cpu")
        assert loaded.predict(pictures[:1], boxes=[BOX])[0].call == call


def test_parts_that_disagree_are_noted(tmp_path: Path, pictures: list[Path]) -> None:
    low, high = load_bundle(bundle(tmp_path / "a"), "cpu").predict(pictures[:1], boxes=[BOX])[0].member_range
    thresholds = {"rule": "youden", "value": (low + high) / 2, "chosen_on": "x"}
    found = load_bundle(bundle(tmp_path / "b", thresholds=thresholds), "cpu").predict(pictures[:1], boxes=[BOX])[0]
    assert found.notes == ("1 of 2 fold models lie at or above the threshold, the others below",)


def test_without_calibration_and_threshold_the_score_is_said_to_be_one(tmp_path: Path, pictures: list[Path]) -> None:
    plain = load_bundle(bundle(tmp_path / "a", calibration=None, thresholds=None), "cpu")
    found = plain.predict(pictures[:1], boxes=[BOX])[0]
    assert (found.calibrated, found.call, found.threshold) == (False, None, None)
    assert found.probability == found.probabilities["1"]
    assert found.words == "no call: the model has no threshold"


def test_several_pictures_of_a_nodule_give_their_mean(predictor: Predictor, pictures: list[Path]) -> None:
    single = predictor.predict(pictures, boxes=[BOX] * 3)
    (joined,) = predictor.predict(pictures, boxes=[BOX] * 3, nodule=True)
    assert joined.probabilities["1"] == pytest.approx(np.mean([one.probabilities["1"] for one in single]), abs=1e-12)
    assert joined.sources == ("0.png", "1.png", "2.png")


def test_a_bundle_whose_rule_is_the_maximum_gives_the_view_that_scores_highest(
    pictures: list[Path], tmp_path: Path
) -> None:
    rule = {"nodule": "maximum", "patient": "maximum"}
    predictor = load_bundle(bundle(tmp_path / "highest", aggregation=rule), device="cpu")
    single = predictor.predict(pictures, boxes=[BOX] * 3)
    (joined,) = predictor.predict(pictures, boxes=[BOX] * 3, nodule=True)
    highest = max(single, key=lambda one: one.probabilities["1"])
    assert joined.probabilities == pytest.approx(highest.probabilities)
    assert joined.probability == pytest.approx(highest.probability)
    assert joined.member_range == pytest.approx(highest.member_range)
    assert any(f"scores highest, {highest.sources[0]}" in note for note in joined.notes)


@pytest.mark.parametrize("rule", ["mean", "maximum"])
def test_a_patients_nodules_are_joined_as_the_run_joins_them(rule: str, pictures: list[Path], tmp_path: Path) -> None:
    spec = {"unit": "patient", "aggregation": {"nodule": "mean", "patient": rule}}
    predictor = load_bundle(bundle(tmp_path / rule, **spec), device="cpu")
    single = predictor.predict(pictures, boxes=[BOX] * 3)
    positive = [one.probabilities["1"] for one in single]
    nodules = [np.mean(positive[:2]), positive[2]]
    (joined,) = predictor.predict(pictures, boxes=[BOX] * 3, nodules=["n1", "n1", "n2"])
    assert joined.probabilities["1"] == pytest.approx(np.mean(nodules) if rule == "mean" else max(nodules), abs=1e-12)
    assert any(f"is {'the mean of' if rule == 'mean' else 'that of'} the nodule" in note for note in joined.notes)
    (taken,) = predictor.predict(pictures, boxes=[BOX] * 3, nodule=True)
    assert taken.probabilities["1"] == pytest.approx(np.mean(positive), abs=1e-12)
    assert any("taken as of one nodule" in note for note in taken.notes)


def test_nodules_that_a_model_cannot_tell_are_refused(
    predictor: Predictor, pictures: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"nodules n1, n2 were given as one.*expected one nodule"):
        predictor.predict(pictures[:2], boxes=[BOX] * 2, nodules=["n1", "n2"])
    of_patients = load_bundle(bundle(tmp_path / "patients", unit="patient"), device="cpu")
    with pytest.raises(InputError, match="an id for each picture, or for none"):
        of_patients.predict(pictures[:2], boxes=[BOX] * 2, nodules=["n1", ""])
    with pytest.raises(InputError, match="one entry a picture"):
        of_patients.predict(pictures[:2], boxes=[BOX] * 2, nodules=["n1"])


def test_the_store_the_files_and_the_clip_give_the_same_numbers(
    predictor: Predictor, pictures: list[Path], tmp_path: Path
) -> None:
    items = [CacheItem(path.stem, path, box=BOX) for path in pictures]
    store = PreparedCache(tmp_path / "cache").store(items, predictor.spec.prepare)
    frame = predictor.score_store(store, ["2", "0"])
    assert frame.columns.tolist() == ["view_id", "p_0", "p_1", "spread"]
    assert frame["view_id"].tolist() == ["2", "0"]
    from_files = predictor.predict([pictures[2], pictures[0]], boxes=[BOX, BOX])
    np.testing.assert_allclose(frame["p_1"], [one.probabilities["1"] for one in from_files], atol=1e-5)
    clip = read_clip(pictures[2])
    in_memory = Clip(clip.frames, lesion=Lesion.still(box=BOX), source=clip.source)
    shown = picture_of_clip(in_memory, predictor.spec.prepare, predictor.spec.requires.region)
    assert predictor.predict_picture(shown).probability == pytest.approx(from_files[0].probability, abs=1e-6)


def test_a_bad_file_among_many_is_listed_and_the_others_go_on(
    predictor: Predictor, pictures: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    paths: list[Path] = [pictures[0], bad, pictures[1], tmp_path / "absent.png"]
    found = predictor.predict(paths, boxes=[BOX] * 4)
    assert [one.sources for one in found] == [("0.png",), ("1.png",)]
    assert [failure.source for failure in found.failures] == ["bad.jpg", "absent.png"]
    assert all(str(tmp_path) not in failure.reason for failure in found.failures)


def test_when_no_picture_can_be_scored_the_first_error_is_raised(predictor: Predictor, pictures: list[Path]) -> None:
    with pytest.raises(RegionMissing):
        predictor.predict(pictures)
    with pytest.raises(PictureError):
        predictor.predict([pictures[0].with_name("absent.png")], boxes=[BOX])


def test_masks_and_more_pictures_than_one_step_are_scored_in_order(
    predictor: Predictor, pictures: list[Path], tmp_path: Path
) -> None:
    mask = mask_of_box(tmp_path / "m.png")
    seen: list[int] = []
    many = predictor.predict(pictures * 12, masks=[mask] * 36, progress=lambda what, done, total: seen.append(done))
    assert seen == list(range(1, 37))
    values = [one.probability for one in many]
    np.testing.assert_allclose(values, values[:3] * 12, atol=1e-6)


@pytest.mark.parametrize("boxes", ["40,30,100,80", [BOX]])
def test_regions_are_given_one_a_picture(predictor: Predictor, pictures: list[Path], boxes: object) -> None:
    with pytest.raises(InputError, match="one entry a picture"):
        predictor.predict(pictures, boxes=boxes)


def test_no_pictures_and_no_such_device_are_refused(predictor: Predictor, model: Path) -> None:
    with pytest.raises(InputError, match="no picture was given"):
        predictor.predict([])
    with pytest.raises(InputError, match="no device 'toaster'"):
        load_bundle(model, "toaster")


def test_an_altered_part_is_never_loaded(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "a")
    part = next((folder / "parts").iterdir())
    part.write_bytes(part.read_bytes()[:-1] + b"\x01")
    with pytest.raises(BundleError, match="altered or damaged"):
        load_bundle(folder, "cpu")


def test_loading_does_not_move_the_random_numbers_of_others(model: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_bundle(model, "cpu")
    assert torch.equal(torch.rand(3), expected)


def test_words_follow_the_reference() -> None:
    assert call_in_words("1", CLASSES, "tirads") == "suspicious (TI-RADS 4a or higher)"
    assert call_in_words("0", CLASSES, "tirads") == "not suspicious (TI-RADS 2 or 3)"
    assert call_in_words("1", {"0": "benign", "1": "malignant"}, "surgery") == "malignant"
