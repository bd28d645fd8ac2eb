"""Cases with whatever pictures they have, scored by one network of several modalities."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isthmus.errors import BundleError, InputError
from isthmus.imaging.preparation import Preparation
from isthmus.inference.fused_case import Case, View
from isthmus.inference.joined_cases import case_worth, predict_joined_cases, predict_looks, read_looks
from isthmus.inference.load import load_bundle
from isthmus.inference.modality_subsets import subset_logits
from isthmus.inference.predictor import Predictor
from isthmus.inference.scores import view_logits
from isthmus.models.bundle import read_bundle, write_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.classifier import Classifier
from isthmus.models.descriptor_heads import create_classifier
from isthmus.models.join_spec import JoinSpec
from tests.inference.small_models import BOX, bundle_spec, picture

PREPARE = Preparation(train_size=40, crop_size=32, channels="rgb", marks="keep")
JOIN = JoinSpec(modalities=("bmode", "smi", "swe"), how="branches")


def network(seed: int) -> Classifier:
    torch.manual_seed(seed)
    made = create_classifier("resnet18", classes=2, channels=3, options={"width": 8}, join=JOIN)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_joined(tmp_path_factory.mktemp("joined") / "bundle")


def write_joined(place: Path, **changes: object) -> Path:
    shares = [{"log_prior_shift": [0.2, -0.2], "class_shares": share} for share in ([0.7, 0.3], [0.5, 0.5])]
    own = bundle_spec(
        network={"name": "resnet18", "options": {"width": 8}, "classes": 2, "channels": 3},
        requires={"modalities": list(JOIN.modalities), "region": "box"}, prepare=PREPARE, **changes,
    )  # fmt: skip
    spec = BundleSpec.model_validate({**own.model_dump(), "join": JOIN, "parts": shares})
    write_bundle(place, spec, [network(seed).state_dict() for seed in (1, 2)])
    return place


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return load_bundle(folder, "cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("pictures")
    return {name: picture(place / f"{name}.png", seed) for seed, name in enumerate(("b1", "b2", "s1", "e1"))}


def case(files: dict[str, Path], **views: list[str]) -> Case:
    return Case({name: [View(files[one], box=BOX) for one in own] for name, own in views.items()}, name="n1")


def test_a_case_is_scored_by_what_it_has_and_the_rest_is_said(predictor: Predictor, files: dict[str, Path]) -> None:
    (full,) = predict_joined_cases(predictor, [case(files, bmode=["b1"], smi=["s1"], swe=["e1"])])
    (less,) = predict_joined_cases(predictor, [case(files, bmode=["b1"], smi=["s1"])])
    assert full.sources == ("b1.png", "s1.png", "e1.png")
    assert full.probability != less.probability
    assert [note for note in less.notes if "absent" in note] == ["swe is absent: the model answers without it"]
    assert not any("absent" in note for note in full.notes)


def test_where_the_regions_come_from_is_said_once_each(predictor: Predictor, files: dict[str, Path]) -> None:
    read = read_looks(predictor, case(files, bmode=["b1", "b2"], smi=["s1"]))
    proposed = [
        {kind: replace(one, region_source="proposed") if one.source == "b2.png" else one for kind, one in look.items()}
        for look in read.looks
    ]
    # One look is drawn throughout; in the other a proposed picture stands beside a drawn one.
    assert [{one.region_source for one in look.values()} for look in proposed] == [{"drawn"}, {"proposed", "drawn"}]
    assert predict_looks(predictor, read._replace(looks=proposed)).region_source == "drawn/proposed"
    assert predict_looks(predictor, read).region_source == "drawn"


def test_what_the_modalities_brought_leads_from_the_shares_in_training_to_the_score(
    predictor: Predictor, files: dict[str, Path]
) -> None:
    (found,) = predict_joined_cases(predictor, [case(files, bmode=["b1", "b2"], swe=["e1"])])
    assert found.brought is not None
    assert list(found.brought.members) == ["bmode", "swe"]
    assert found.brought.average == pytest.approx(np.log(0.4 / 0.6))
    assert found.brought.log_odds == pytest.approx(
        np.log(found.probabilities["1"] / found.probabilities["0"]), abs=1e-5
    )
    total = found.brought.average + sum(found.brought.members.values())
    assert total == pytest.approx(found.brought.log_odds, abs=1e-9)


def test_several_views_are_averaged_each_with_every_other_modality(
    predictor: Predictor, files: dict[str, Path]
) -> None:
    both = predict_joined_cases(predictor, [case(files, bmode=["b1", "b2"], swe=["e1"])])[0]
    one, other = (predict_joined_cases(predictor, [case(files, bmode=[b], swe=["e1"])])[0] for b in ("b1", "b2"))
    mean = (one.probabilities["1"] + other.probabilities["1"]) / 2
    assert both.probabilities["1"] == pytest.approx(mean, abs=1e-6)


def test_every_subset_is_what_the_network_says_of_pictures_without_the_rest() -> None:
    made = network(3)
    pixels = np.random.default_rng(0).integers(1, 255, (4, 3, 40, 40, 3), np.uint8)
    pixels[1, 2] = 0
    found = subset_logits(made, pixels, PREPARE, batch_size=3, flips=True)
    assert np.isnan(found[0]).all()
    for subset in range(1, 8):
        kept = pixels * np.array([subset >> place & 1 for place in range(3)], np.uint8)[None, :, None, None, None]
        there = kept.any(axis=(1, 2, 3, 4))
        np.testing.assert_allclose(found[subset][there], view_logits(made, kept[there], PREPARE, flips=True), atol=1e-5)
        assert np.isnan(found[subset][~there]).all()


@pytest.mark.parametrize(
    ("rule", "unit", "worth"),
    [
        # Of looks of 0.2, 0.6 and 0.7, the last of another nodule: nothing; then the first alone; then all.
        ({"nodule": "mean", "patient": "maximum"}, "nodule", [np.nan, 0.2, 0.5]),
        ({"nodule": "maximum", "patient": "mean"}, "nodule", [np.nan, 0.2, 0.7]),
        ({"nodule": "mean", "patient": "mean"}, "patient", [np.nan, 0.2, (0.4 + 0.7) / 2]),
        ({"nodule": "maximum", "patient": "mean"}, "patient", [np.nan, 0.2, (0.6 + 0.7) / 2]),
        ({"nodule": "mean", "patient": "maximum"}, "patient", [np.nan, 0.2, 0.7]),
    ],
)
def test_a_cases_worth_is_that_of_the_looks_that_are_left(rule: dict[str, str], unit: str, worth: list[float]) -> None:
    last = np.array([[np.nan] * 3, [0.2, np.nan, np.nan], [0.2, 0.6, 0.7]])
    spec = bundle_spec(aggregation=rule, unit=unit)
    nodules = ["n"] * 3 if unit == "nodule" else ["n", "n", "m"]
    found = case_worth(np.stack([1 - last, last], axis=-1), nodules, spec, 1)
    np.testing.assert_allclose(found, worth, atol=1e-12)


def patient(files: dict[str, Path]) -> Case:
    """Return a patient with a nodule of two B-mode pictures and one of B-mode and elastography."""
    shown = {"bmode": {"b1": "n1", "b2": "n1", "s1": "n2"}, "swe": {"e1": "n2"}}
    return Case({kind: [View(files[one], box=BOX, nodule=n) for one, n in own.items()] for kind, own in shown.items()})


@pytest.mark.parametrize("rule", ["mean", "maximum"])
def test_a_patients_nodules_are_joined_and_what_the_modalities_brought_is_of_the_score(
    rule: str, files: dict[str, Path], tmp_path: Path
) -> None:
    spec = {"unit": "patient", "aggregation": {"nodule": "mean", "patient": rule}}
    predictor = load_bundle(write_joined(tmp_path / "bundle", **spec), "cpu")
    (found,) = predict_joined_cases(predictor, [patient(files)])
    alone = predict_joined_cases(predictor, [case(files, bmode=["b1", "b2"]), case(files, bmode=["s1"], swe=["e1"])])
    nodules = [one.probabilities["1"] for one in alone]
    expected = np.mean(nodules) if rule == "mean" else max(nodules)
    assert found.probabilities["1"] == pytest.approx(expected, abs=1e-6)
    assert expected != pytest.approx(np.mean([nodules[0], nodules[0], nodules[1]]), abs=1e-5)  # of all the looks
    assert "swe of nodule n1 is absent: the model answers without it" in found.notes
    assert found.brought is not None
    assert found.brought.log_odds == pytest.approx(np.log(expected / (1 - expected)), abs=1e-5)
    total = found.brought.average + sum(found.brought.members.values())
    assert total == pytest.approx(found.brought.log_odds, abs=1e-9)
    if rule == "maximum":
        best = int(np.argmax(nodules))
        assert found.brought.nodule == ("n1", "n2")[best]
        assert alone[best].brought is not None
        assert found.brought.members == pytest.approx(alone[best].brought.members, abs=1e-5)
        assert f"of nodule {found.brought.nodule}, which decided" in found.brought.words
    else:
        assert found.brought.nodule == ""


def test_what_the_model_cannot_use_is_refused_case_by_case(predictor: Predictor, files: dict[str, Path]) -> None:
    good, wrong = case(files, bmode=["b1"]), case(files, ceus=["b2"])
    found = predict_joined_cases(predictor, [wrong, good])
    assert len(found) == 1
    assert "looks at no 'ceus'" in found.failures[0].reason
    with pytest.raises(InputError, match="knows no column 'age_years'"):
        predict_joined_cases(predictor, [Case(good.views, {"age_years": 50})])
    with pytest.raises(InputError, match="the case has no picture"):
        predict_joined_cases(predictor, [Case({})])
    with pytest.raises(InputError, match="scores cases, not files"):
        predictor.predict([files["b1"]])


def test_a_bundle_says_what_it_joins(folder: Path, tmp_path: Path) -> None:
    spec = read_bundle(folder)
    assert spec.join == JOIN
    with pytest.raises(BundleError, match="not those that the network joins"):
        (tmp_path / "bundle.yaml").write_text(
            (folder / "bundle.yaml").read_text().replace("  - smi\n", "  - doppler\n", 1), encoding="utf-8"
        )
        read_bundle(tmp_path)
