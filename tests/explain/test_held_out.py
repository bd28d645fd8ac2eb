"""Held-out heat maps: each network explains only what it never saw."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from isthmus.errors import InputError
from isthmus.explain.held_out import FoldNetwork, explain_held_out, read_fold
from isthmus.explain.prepared_heat import heat_of_pixels
from isthmus.files import write_json, write_yaml
from isthmus.imaging.cache import CacheItem, PreparedCache, PreparedStore
from isthmus.imaging.preparation import Preparation
from isthmus.inference.scores import probabilities, view_logits
from isthmus.models.registry import create
from tests.inference.small_models import BOX, CLASSES, mask_of_box, picture

PREPARATION = Preparation(train_size=72, crop_size=64)
VIEWS = [f"v{number}" for number in range(6)]


def network(seed: int) -> Any:
    torch.manual_seed(seed)
    return create("resnet18", classes=2, channels=1, width=8).eval()


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, PreparedStore]:
    folder = tmp_path_factory.mktemp("cohort")
    mask = mask_of_box(folder / "mask.png")
    views = pd.DataFrame(
        {
            "view_id": VIEWS,
            "nodule_id": [f"n{number}" for number in range(6)],
            "group_id": [f"g{number}" for number in range(6)],
            "label": ["0", "1"] * 3,
            "path": [picture(folder / f"{view}.png", seed) for seed, view in enumerate(VIEWS)],
            "mask": [mask, mask, None, mask, None, mask],
            "box": [None, None, BOX, None, BOX, BOX],
            "region": [None, (0.0, 0.0, 160.0, 120.0), None, None, None, None],
        }
    )
    items = [CacheItem(row.view_id, row.path, row.mask, row.box, row.region) for row in views.itertuples()]
    return views, PreparedCache(folder / "cache").store(items, PREPARATION)


def folds() -> list[FoldNetwork]:
    return [
        FoldNetwork(network(1), VIEWS[3:], seed=0, fold=1, log_prior_shift=[0.0, 0.0]),
        FoldNetwork(network(0), VIEWS[:3], seed=0, fold=0, log_prior_shift=[0.2, -0.2], threshold=0.4),
    ]


def explain(cohort: tuple[pd.DataFrame, PreparedStore], out: Path, **changes: Any) -> Any:
    views, store = cohort
    given = {"reference": "tirads", "title": "ResNet18", "cases": 4, "marks": ["SMOKE"], **changes}
    return explain_held_out(folds(), store, views, PREPARATION, CLASSES, out, **given)


def test_every_view_is_explained_by_the_network_that_never_saw_it(
    cohort: tuple[pd.DataFrame, PreparedStore], tmp_path: Path
) -> None:
    found = explain(cohort, tmp_path)
    _, store = cohort
    rows = found.localisation.set_index("view_id")
    assert sorted(rows.index) == VIEWS
    heat = np.load(tmp_path / "heat.npy")
    assert heat.shape == (6, 56, 56)
    assert heat.dtype == np.uint8
    for fold in folds():
        for view in fold.held_out_views:
            assert rows.loc[view, "fold"] == fold.fold
            pixels = np.asarray(store.pixels[store.rows([view])])
            expected = probabilities(view_logits(fold.classifier, pixels, PREPARATION), fold.log_prior_shift)[0, 1]
            assert rows.loc[view, "probability"] == pytest.approx(expected, abs=1e-5)
            whole = heat_of_pixels([fold.classifier], pixels, PREPARATION, 1)[0]
            place = found.localisation.index[found.localisation["view_id"] == view][0]
            assert abs(heat[place].mean() / 255 - whole.mean()) < 0.01


def test_tables_overlays_and_sheet_lie_in_the_folder(
    cohort: tuple[pd.DataFrame, PreparedStore], tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    found = explain(cohort, tmp_path, progress=lambda *step: seen.append(step))
    table = pd.read_csv(tmp_path / "localisation.csv", dtype={"label": str, "call": str})
    assert table["view_id"].tolist() == found.localisation["view_id"].tolist()
    assert table["label"].isin(list(CLASSES)).all()
    assert 1 <= len(found.cases) <= 4
    assert all(case.path.is_file() for case in found.cases)
    assert found.gallery == tmp_path / "gallery.png"
    assert "suspicious (" in found.cases[0].caption
    summary = json.loads((tmp_path / "localisation.json").read_text(encoding="utf-8"))
    assert summary["gaussian_sigma"] == 0.25
    assert summary["views"] + summary["left_out"] == 6
    assert ("heat maps", 6, 6) in seen


def test_signed_heat_is_drawn_on_a_sheet_of_its_own_and_the_rest_stays_as_it_was(
    cohort: tuple[pd.DataFrame, PreparedStore], tmp_path: Path
) -> None:
    plain, found = explain(cohort, tmp_path / "plain"), explain(cohort, tmp_path / "signed", signed=True)
    assert plain.signed is None
    assert found.signed == tmp_path / "signed" / "signed.png"
    assert (tmp_path / "plain" / "heat.npy").read_bytes() == (tmp_path / "signed" / "heat.npy").read_bytes()
    pd.testing.assert_frame_equal(found.localisation.drop(columns="against_at_edge"), plain.localisation)
    assert found.localisation["against_at_edge"].dropna().between(0, 1).all()


def test_the_same_folds_give_the_same_bytes(cohort: tuple[pd.DataFrame, PreparedStore], tmp_path: Path) -> None:
    for name in ("a", "b"):
        explain(cohort, tmp_path / name)
    for file in ("localisation.csv", "heat.npy", "gallery.png", "overlays/01.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_view_held_out_twice_or_unknown_is_refused(
    cohort: tuple[pd.DataFrame, PreparedStore], tmp_path: Path
) -> None:
    views, store = cohort
    twice = [*folds(), FoldNetwork(network(2), VIEWS[:1], seed=0, fold=2, log_prior_shift=[0.0, 0.0])]
    with pytest.raises(InputError, match="held out by two folds"):
        explain_held_out(twice, store, views, PREPARATION, CLASSES, tmp_path)
    unknown = [FoldNetwork(network(2), ["x"], seed=0, fold=2, log_prior_shift=[0.0, 0.0])]
    with pytest.raises(InputError, match="view 'x' is not in the cohort"):
        explain_held_out(unknown, store, views, PREPARATION, CLASSES, tmp_path)
    with pytest.raises(InputError, match="no held-out view"):
        explain_held_out([], store, views, PREPARATION, CLASSES, tmp_path)


def test_a_fold_is_read_from_its_fit_folder(tmp_path: Path) -> None:
    original = network(7)
    write_yaml(
        tmp_path / "fit.yaml",
        {
            "format": "isthmus-fit/1.0",
            "network": "resnet18",
            "options": {"width": 8},
            "classes": ["0", "1"],
            "prepare": PREPARATION.model_dump(mode="json"),
            "seed": 3,
            "fold": 2,
            "held_out_views": ["007"],
        },
    )
    write_json(tmp_path / "done.json", {"format": "isthmus-fit-done/1.0", "log_prior_shift": [0.1, -0.1]})
    save_file(original.state_dict(), tmp_path / "weights.safetensors")
    torch.manual_seed(11)
    expected_next = torch.rand(1)
    torch.manual_seed(11)
    fold = read_fold(tmp_path, threshold=0.3)
    assert torch.equal(torch.rand(1), expected_next)
    assert (fold.seed, fold.fold, list(fold.held_out_views), fold.threshold) == (3, 2, ["007"], 0.3)
    assert all(torch.equal(a, b) for a, b in zip(original.parameters(), fold.classifier.parameters(), strict=True))
