"""What a bundle knows of its training pictures: kept as numbers, checked when read, absent in older bundles."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from isthmus.errors import BundleError
from isthmus.models.bundle import load_likeness, read_bundle, write_bundle
from isthmus.models.likeness_spec import Trial
from isthmus.models.training_likeness import TrainingLikeness, UnseenCases
from isthmus.statistics.out_of_distribution import Distance, fit_mahalanobis, fit_neighbours, scale_of
from isthmus.statistics.spread_of_means import Agreement
from tests.models.test_bundle import make_parts, make_spec

ROWS = [np.random.default_rng(part).normal(size=(30, 8)) for part in range(2)]
NEW = [np.random.default_rng(part + 5).normal(size=(12, 8)) for part in range(2)]


def likeness(kind: str) -> TrainingLikeness:
    labels = np.arange(30) % 2
    parts: list[Distance] = [
        fit_mahalanobis(rows, labels) if kind == "mahalanobis" else fit_neighbours(rows) for rows in ROWS
    ]
    scales = [scale_of(part.distances(new)) for part, new in zip(parts, NEW, strict=True)]
    reference = np.sort(np.concatenate([s.scores(p.distances(n)) for s, p, n in zip(scales, parts, NEW, strict=True)]))
    trial = Trial.model_validate({"kind": kind, "aurocs": {"inverted": 0.9}})
    cases = UnseenCases("nodule", np.arange(24) % 3 + 1.0, 0.1, Agreement(networks=0.5, views=0.4, both=None))
    return TrainingLikeness(parts, scales, reference, [trial], "chosen for the test", cases)


@pytest.fixture(params=["mahalanobis", "neighbours"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, kind: str) -> Path:
    write_bundle(tmp_path / "bundle", make_spec(), make_parts(), likeness=likeness(kind))
    return tmp_path / "bundle"


def test_a_bundle_scores_as_what_was_fitted(folder: Path, kind: str) -> None:
    fitted, read = likeness(kind), load_likeness(folder, read_bundle(folder))
    assert read is not None
    pictures = [np.random.default_rng(9).normal(size=(6, 8)) * 3 for _ in range(2)]
    np.testing.assert_allclose(read.scores(pictures), fitted.scores(pictures), rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(read.reference, fitted.reference)
    assert read.cases is not None
    assert fitted.cases is not None
    np.testing.assert_array_equal(read.cases.views, fitted.cases.views)
    assert (read.cases.unit, read.cases.centre) == ("nodule", 0.1)
    assert (read.cases.usual, read.cases.agreement) == (2, fitted.cases.agreement)
    assert "24 training nodules" in (folder / "card.md").read_text(encoding="utf-8")
    assert read.rule in (folder / "card.md").read_text(encoding="utf-8")


def test_what_is_far_from_every_training_picture_is_called_unlike() -> None:
    fitted = likeness("mahalanobis")
    far, near = fitted.scores([np.full((1, 8), -40.0)] * 2), fitted.scores([np.stack([r.mean(0)]) for r in ROWS])
    assert fitted.unlike(far).tolist() == [True]
    assert fitted.unlike(near).tolist() == [False]
    assert fitted.shares_nearer(far).tolist() == [1.0]
    assert fitted.shares_nearer([fitted.reference[0] - 9]).tolist() == [0.0]


def test_a_mean_of_several_is_compared_as_such_a_mean_spreads() -> None:
    fitted = likeness("mahalanobis")
    assert fitted.cases is not None
    spread = fitted.cases.agreement.spread
    known = (fitted.reference - 0.1) / spread(1, fitted.cases.views)
    for networks, views in ((None, 1), (1, 3), (None, 3)):
        own = (1.2 - 0.1) / spread(networks or 2, views)
        assert fitted.shares_nearer([1.2], views, networks=networks)[0] == pytest.approx((known < own).mean())
    # An older bundle compares a mean with the single pictures themselves.
    older = replace(fitted, cases=None)
    assert older.shares_nearer([1.2], 3)[0] == pytest.approx((fitted.reference < 1.2).mean())


def test_a_bundle_of_before_is_read_and_compares_with_single_pictures(folder: Path) -> None:
    path = folder / "bundle.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["out_of_distribution"].pop("cases")
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    read = load_likeness(folder, read_bundle(folder))
    assert read is not None
    assert read.cases is None


def test_cases_that_have_no_picture_are_refused(tmp_path: Path) -> None:
    broken = likeness("mahalanobis")
    assert broken.cases is not None
    broken.cases.views[0] = 0
    write_bundle(tmp_path / "bundle", make_spec(), make_parts(), likeness=broken)
    with pytest.raises(BundleError, match="numbers of pictures for 24 cases"):
        load_likeness(tmp_path / "bundle", read_bundle(tmp_path / "bundle"))


def test_a_bundle_without_it_still_loads(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", make_spec(), make_parts())
    path = tmp_path / "bundle" / "bundle.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content.pop("out_of_distribution") is None
    path.write_text(yaml.safe_dump({**content, "format": "isthmus-bundle/1.1"}), encoding="utf-8")
    assert load_likeness(tmp_path / "bundle", read_bundle(tmp_path / "bundle")) is None


def edit(folder: Path, **changes: object) -> None:
    path = folder / "bundle.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["out_of_distribution"] |= changes
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def test_an_altered_missing_or_contradicting_file_is_refused(folder: Path) -> None:
    file = folder / "out_of_distribution.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"\x00" * (whole[-1] != 0) + b"\x01" * (whole[-1] == 0))
    with pytest.raises(BundleError, match="altered or damaged"):
        load_likeness(folder, read_bundle(folder))
    file.write_bytes(whole)
    edit(folder, pictures=3)
    with pytest.raises(BundleError, match=r"24 pictures.*3 pictures"):
        load_likeness(folder, read_bundle(folder))
    file.unlink()
    with pytest.raises(BundleError, match="a file is missing"):
        load_likeness(folder, read_bundle(folder))


def test_a_file_outside_the_bundle_is_not_opened(folder: Path) -> None:
    edit(folder, file="../secret.safetensors")
    with pytest.raises(BundleError, match=r"out_of_distribution\.file"):
        read_bundle(folder)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    broken = likeness("mahalanobis")
    broken.reference[-1] = np.inf
    write_bundle(tmp_path / "bundle", make_spec(), make_parts(), likeness=broken)
    with pytest.raises(BundleError, match="finite numbers"):
        load_likeness(tmp_path / "bundle", read_bundle(tmp_path / "bundle"))
