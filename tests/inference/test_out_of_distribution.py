"""What a model that knows its training pictures says of a case: beside its score, in words, on disk and of a store."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isthmus.errors import BundleError
from isthmus.explain.prediction import predict_files
from isthmus.imaging.cache import CacheItem, PreparedCache
from isthmus.inference.embeddings import view_embeddings
from isthmus.inference.load import load_bundle
from isthmus.inference.predictor import Predictor
from isthmus.inference.spread import spread
from isthmus.models.bundle import write_bundle
from isthmus.models.training_likeness import TrainingLikeness, UnseenCases
from isthmus.statistics.out_of_distribution import Mahalanobis, Neighbours, chances, fit_mahalanobis, scale_of
from isthmus.statistics.spread_of_means import Agreement
from tests.inference.small_models import BOX, bundle, picture


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle whose training pictures were speckle; each part saw half of them."""
    place = tmp_path_factory.mktemp("model")
    plain = load_bundle(bundle(place / "plain"), "cpu")
    paths = [picture(place / f"{seed}.png", seed) for seed in range(48)]
    pixels = np.stack([plain.read(path, box=BOX).prepared.pixels for path in paths])
    parts, scales, reference = [], [], []
    for number, network in enumerate(plain.parts):
        embeddings, _ = view_embeddings(network, pixels, plain.spec.prepare)
        own, unseen = embeddings[number::2], embeddings[1 - number :: 2]
        parts.append(fit_mahalanobis(own, np.arange(len(own)) % 2))
        scales.append(scale_of(parts[-1].distances(unseen)))
        reference.append(scales[-1].scores(parts[-1].distances(unseen)))
    scores = np.sort(np.concatenate(reference))
    cases = UnseenCases("nodule", np.ones(len(scores)), float(scores.mean()), Agreement(networks=0.6))
    likeness = TrainingLikeness(parts, scales, scores, [], "for the test", cases)
    write_bundle(place / "bundle", plain.spec, [one.state_dict() for one in plain.parts], likeness=likeness)
    return place / "bundle"


@pytest.fixture(scope="module")
def predictor(model: Path) -> Predictor:
    return load_bundle(model, "cpu")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Return speckle as in training, and a picture of blocks."""
    blocks = tmp_path / "blocks.png"
    coarse = np.random.default_rng(5).integers(20, 220, (15, 20)).astype(np.uint8)
    Image.fromarray(np.kron(coarse, np.ones((8, 8), np.uint8))).save(blocks)
    return [picture(tmp_path / "speckle.png", 77), blocks]


def test_a_picture_of_another_kind_is_called_unlike(predictor: Predictor, pictures: list[Path]) -> None:
    speckle, blocks = predictor.predict(pictures, boxes=[BOX, BOX])
    assert speckle.out_of_distribution is not None
    assert blocks.out_of_distribution is not None
    assert not speckle.out_of_distribution.unlike
    assert blocks.out_of_distribution.unlike
    assert blocks.out_of_distribution.words == (
        "unlike the training pictures: farther out than 100 % of 48 training nodules that the networks had not seen"
    )
    assert predictor.likeness is not None
    expected = chances([blocks.out_of_distribution.score], predictor.likeness.reference)[0]
    assert expected == pytest.approx(1 / 49)


def test_of_several_pictures_of_a_nodule_the_odd_one_is_named(predictor: Predictor, pictures: list[Path]) -> None:
    each = predictor.predict(pictures, boxes=[BOX, BOX])
    (joined,) = predictor.predict(pictures, boxes=[BOX, BOX], nodule=True)
    assert joined.out_of_distribution is not None
    scores = [one.out_of_distribution.score for one in each if one.out_of_distribution is not None]
    assert joined.out_of_distribution.score == pytest.approx(np.mean(scores))
    assert "unlike the training pictures by itself: blocks.png" in joined.notes
    assert joined.out_of_distribution.words.endswith("usually with 1 picture each, here 2")
    assert predictor.likeness is not None
    share = predictor.likeness.shares_nearer([np.mean(scores)], 2)[0]
    assert joined.out_of_distribution.percentile == pytest.approx(100 * share)


def test_an_older_model_says_that_it_may_call_too_few_unlike(predictor: Predictor, pictures: list[Path]) -> None:
    assert predictor.likeness is not None
    older = replace(predictor, likeness=replace(predictor.likeness, cases=None))
    found = older.predict(pictures[:1], boxes=[BOX])[0].out_of_distribution
    assert found is not None
    assert found.words.endswith(
        "48 training pictures that the networks had not seen; this older model may call too few cases unlike"
    )


def test_the_files_and_the_command_say_it(model: Path, pictures: list[Path], tmp_path: Path) -> None:
    done = predict_files(model, pictures[1:], tmp_path / "out", box="40,30,100,80", device="cpu")
    (said,) = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))["predictions"]
    assert said["out_of_distribution"]["unlike"] is True
    assert said["out_of_distribution"]["percentile"] == 100
    row = pd.read_csv(tmp_path / "out" / "predictions.csv").iloc[0]
    assert row["out_of_distribution"] == pytest.approx(said["out_of_distribution"]["score"])
    assert row["out_of_distribution_words"] == said["out_of_distribution"]["words"]
    assert any(said["out_of_distribution"]["words"] in line for line in done.lines())


def test_a_store_carries_it_with_the_spread(predictor: Predictor, pictures: list[Path], tmp_path: Path) -> None:
    items = [CacheItem(path.stem, path, box=BOX) for path in pictures]
    store = PreparedCache(tmp_path / "cache").store(items, predictor.spec.prepare)
    frame = predictor.score_store(store, ["blocks", "speckle"])
    found = predictor.predict(pictures, boxes=[BOX, BOX])
    expected = [one.out_of_distribution.score for one in found if one.out_of_distribution is not None]
    np.testing.assert_allclose(frame["out_of_distribution"], expected[::-1], rtol=1e-4)
    pixels = np.stack([predictor.read(path, box=BOX).prepared.pixels for path in pictures[::-1]])
    members = predictor.score_pixels(pixels)
    np.testing.assert_allclose(frame["spread"], members[:, :, 1].std(axis=0), atol=1e-6)


def test_a_likeness_of_another_network_is_refused_when_the_bundle_is_loaded(
    predictor: Predictor, pictures: list[Path], tmp_path: Path
) -> None:
    assert predictor.likeness is not None
    first, second = predictor.likeness.parts
    assert isinstance(second, Mahalanobis)
    narrower = replace(second, centres=second.centres[:, :-1], directions=second.directions[:, :-1])
    wrong = replace(predictor.likeness, parts=[first, narrower])
    states = [part.state_dict() for part in predictor.parts]
    write_bundle(tmp_path / "wrong", predictor.spec, states, likeness=wrong)
    with pytest.raises(
        BundleError, match=r"part 1 .* by 63 numbers .*safetensors\); expected 64.*Next: copy the bundle"
    ):
        load_bundle(tmp_path / "wrong", "cpu")
    rows = [Neighbours(np.eye(64)[:, :width], 1) for width in (64, 32)]
    write_bundle(tmp_path / "near", predictor.spec, states, likeness=replace(predictor.likeness, parts=rows))
    with pytest.raises(BundleError, match=r"part 1 .* by 32 numbers"):
        load_bundle(tmp_path / "near", "cpu")


def test_the_spread_of_several_classes_is_of_all_of_them() -> None:
    members = np.array([[[0.6, 0.3, 0.1]], [[0.4, 0.3, 0.3]]])
    assert spread(members)[0] == pytest.approx(np.sqrt((0.01 + 0.01) / 2))
