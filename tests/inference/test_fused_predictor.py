"""A fused model scores cases: of all members, of some, with what is known of them, and says what was missing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

import isthmus
from isthmus.cohort.perfusion import measure_perfusion
from isthmus.errors import InputError, RegionMissing
from isthmus.inference.embeddings import view_embeddings
from isthmus.inference.fused_case import Case, View
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.load import load_bundle
from isthmus.statistics.perfusion_features import FEATURES
from tests.inference.small_clips import clip
from tests.inference.small_fused import WIDTH, fused_bundle
from tests.inference.small_models import BOX, picture
from tests.perfused_clips import RANGE_DB, RATE_HZ, write_perfused_cohort

KNOWN = {"age_years": "44", "sex": "M"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fused_bundle(tmp_path_factory.mktemp("fused") / "bundle")


@pytest.fixture(scope="module")
def predictor(folder: Path) -> FusedPredictor:
    found = isthmus.load_bundle(folder, "cpu")
    assert isinstance(found, FusedPredictor)
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("files")
    stills = {name: picture(place / f"{name}.png", seed) for seed, name in enumerate(("still", "other"))}
    return {**stills, "clip": clip(place / "clip")}


def full(files: dict[str, Path], **changes: object) -> Case:
    views = {"bmode": [View(files["still"], box=BOX)], "ceus": [View(files["clip"])]}
    return Case(**{"views": views, "columns": KNOWN, "name": "", **changes})  # type: ignore[arg-type]


def by_hand(predictor: FusedPredictor, folder: Path, given: dict[str, list[View]], known: dict[str, object]) -> float:
    """Return the mean over the pairs, from the members' own bundles, one network after the other."""
    scores = []
    for number, (head, terms) in enumerate(predictor.heads):
        row = np.full((1, len(head.columns)), np.nan)
        for start, arm in ((0, "image"), (WIDTH, "ceus_video")):
            member = load_bundle(folder / "members" / arm, "cpu")
            pictures = [member.read(view.path, box=view.box).prepared for view in given.get(arm, [])]
            if pictures:
                pixels = np.stack([one.pixels for one in pictures])
                embeddings, _ = view_embeddings(member.parts[number], pixels, member.spec.prepare)
                row[0, start : start + WIDTH] = embeddings.mean(axis=0)
        row[0, 2 * WIDTH :] = np.concatenate([term.design(pd.DataFrame([known]))[0] for term in terms])
        scores.append(head.probabilities(row)[0])
    return float(np.mean(scores))


def test_a_case_is_scored_by_every_pair_and_their_mean_is_calibrated(
    predictor: FusedPredictor, folder: Path, files: dict[str, Path]
) -> None:
    (found,) = predictor.predict([full(files)])
    views = {"image": [View(files["still"], box=BOX)], "ceus_video": [View(files["clip"])]}
    mean = by_hand(predictor, folder, views, {"age_years": 44.0, "sex": "M"})
    assert found.probabilities["1"] == pytest.approx(mean, abs=1e-6)
    assert found.probability == pytest.approx(expit(0.3 + 1.2 * logit(mean)), abs=1e-6)
    assert found.call == ("1" if found.probability >= 0.5 else "0")
    assert found.member_range[0] < found.probability < found.member_range[1]
    assert found.sources == ("still.png", "clip")
    assert found.frames[0] == ()
    assert len(found.frames[1]) == 3
    assert not any("absent" in note or "not known" in note for note in found.notes)


def test_views_of_one_modality_are_averaged_and_cases_do_not_change_each_other(
    predictor: FusedPredictor, folder: Path, files: dict[str, Path]
) -> None:
    two = [View(files["still"], box=BOX), View(files["other"], box=BOX)]
    case = full(files, views={"bmode": two, "ceus": [View(files["clip"])]}, name="two views")
    found = predictor.predict([full(files), case, full(files, views={"image": two[1:]})])
    views = {"image": two, "ceus_video": [View(files["clip"])]}
    assert found[1].probabilities["1"] == pytest.approx(
        by_hand(predictor, folder, views, {"age_years": 44.0, "sex": "M"}), abs=1e-6
    )
    assert found[1].case == "two views"
    alone = by_hand(predictor, folder, {"image": two[1:]}, {"age_years": 44.0, "sex": "M"})
    assert found[2].probabilities["1"] == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize("rule", ["mean", "maximum"])
def test_a_patients_nodules_are_scored_each_with_its_own_pictures_and_columns_and_then_joined(
    rule: str, tmp_path: Path, files: dict[str, Path]
) -> None:
    spec = {"unit": "patient", "aggregation": {"nodule": "mean", "patient": rule}}
    folder = fused_bundle(tmp_path / "bundle", **spec)
    assert "Several nodules of a patient: " in (folder / "card.md").read_text(encoding="utf-8")
    predictor = isthmus.load_bundle(folder, "cpu")
    still, other, clip_of = (files[name] for name in ("still", "other", "clip"))
    views = {
        "bmode": [View(still, box=BOX, nodule="n1"), View(other, box=BOX, nodule="n1"),
                  View(other, box=BOX, nodule="n2")],
        "ceus": [View(clip_of, nodule="n1")],
    }  # fmt: skip
    case = Case(views, {"sex": "M"}, "P1", {"n1": {"age_years": 25}, "n2": {"age_years": 70}})
    (found,) = predictor.predict([case])
    given = {"image": views["bmode"][:2], "ceus_video": views["ceus"]}
    nodules = [
        by_hand(predictor, folder, given, {"age_years": 25.0, "sex": "M"}),
        by_hand(predictor, folder, {"image": views["bmode"][2:]}, {"age_years": 70.0, "sex": "M"}),
    ]
    expected = np.mean(nodules) if rule == "mean" else max(nodules)
    assert found.probabilities["1"] == pytest.approx(expected, abs=1e-6)
    assert found.probability == pytest.approx(expit(0.3 + 1.2 * logit(expected)), abs=1e-6)
    assert "nodule n2: ceus_video is absent: it counts as that of an average training case" in found.notes
    # Among other cases it is scored alike.
    three = predictor.predict([full(files), case, full(files)])
    assert three[1].probabilities["1"] == pytest.approx(expected, abs=1e-6)
    assert three[0].probability == three[2].probability
    assert any("pictures were taken as of one nodule" in note for note in three[0].notes)


def test_a_nodule_that_the_model_cannot_do_with_is_left_out_of_its_patient_as_in_a_run(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    strict = fused_bundle(tmp_path / "bundle", unit="patient", where_absent="leave_out")
    predictor = isthmus.load_bundle(strict, "cpu")
    views = {
        "bmode": [View(files["still"], box=BOX, nodule="n1"), View(files["other"], box=BOX, nodule="n2")],
        "ceus": [View(files["clip"], nodule="n1")],
    }
    (found,) = predictor.predict([full(files, views=views)])
    (alone,) = predictor.predict([full(files)])
    assert found.probability == alone.probability
    assert "nodule n2 is left out: there is no picture for ceus_video" in found.notes
    assert found.sources == alone.sources


def test_a_member_or_a_column_that_is_missing_is_said(predictor: FusedPredictor, files: dict[str, Path]) -> None:
    (found,) = predictor.predict([full(files, views={"bmode": [View(files["still"], box=BOX)]}, columns={})])
    assert "ceus_video is absent: it counts as that of an average training case" in found.notes
    assert "age_years is not known: it counts as the training cases' mean, about 50" in found.notes
    (found,) = predictor.predict([full(files, views={"ceus": [View(files["clip"])]})])
    assert "image is absent: it counts as that of an average training case, and the model learnt from no case without it" in found.notes  # fmt: skip  # noqa: E501
    (found,) = predictor.predict([full(files, columns={"age_years": 95, "sex": None})])
    assert "age_years 95 lies outside the training cases' 20 to 80" in found.notes


def test_a_model_that_knows_no_absence_refuses_it(tmp_path: Path, files: dict[str, Path]) -> None:
    strict = isthmus.load_bundle(fused_bundle(tmp_path / "bundle", where_absent="leave_out"), "cpu")
    with pytest.raises(InputError, match="no picture for ceus_video"):
        strict.predict([full(files, views={"bmode": [View(files["still"], box=BOX)]})])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"views": {"ceu": []}}, r"looks at no 'ceu'.*did you mean 'ceus'"),
        ({"views": {"cine": []}}, r"looks at no 'cine'.*expected bmode, ceus, image, ceus_video"),
        ({"views": {}}, "the case has no picture"),
        ({"columns": {"size_mm": 3}}, r"knows no column 'size_mm'.*expected age_years, sex"),
        ({"columns": {"age_years": "old"}}, r"column age_years holds 'old'.*expected a number"),
        ({"columns": {"sex": "female"}}, r"column sex holds 'female'.*expected F or M"),
    ],
)
def test_what_a_model_cannot_take_is_one_clear_error(
    predictor: FusedPredictor, files: dict[str, Path], changes: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        predictor.predict([full(files, **changes)])


def test_files_are_refused_where_cases_are_expected(predictor: FusedPredictor, files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="scores cases, not files"):
        predictor.predict([files["still"]])  # type: ignore[list-item]


def test_pictures_that_nobody_looks_at_are_refused(predictor: FusedPredictor, files: dict[str, Path]) -> None:
    view = [View(files["still"], box=BOX)]
    with pytest.raises(InputError, match="for 'bmode' and for every member that looks at it"):
        predictor.predict([full(files, views={"bmode": view, "image": view})])


def test_a_case_with_a_bad_picture_is_listed_and_the_others_go_on(
    predictor: FusedPredictor, files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    without = full(files, views={"bmode": [View(files["still"])]}, name="b")
    broken = full(files, views={"bmode": [View(tmp_path / "bad.png", box=BOX)]}, name="c")
    found = predictor.predict([full(files), without, broken])
    assert len(found) == 1
    assert [one.source for one in found.failures] == ["b: still.png", "c: bad.png"]
    assert isinstance(found.failures[0].error, RegionMissing)
    with pytest.raises(RegionMissing):
        predictor.predict([without])


def test_perfusion_is_measured_in_the_case_as_in_a_cohort(
    predictor: FusedPredictor, tmp_path: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring = isthmus.load_bundle(fused_bundle(tmp_path / "bundle", perfusion=True), "cpu")
    cohort = isthmus.load_cohort(write_perfused_cohort(tmp_path / "cohort"))
    table = measure_perfusion(cohort, dynamic_range_db=RANGE_DB).table.set_index("view_id")
    row = cohort.views.set_index("view_id").loc["V1"]
    path, mask = cohort.folder / row["path"], cohort.folder / row["mask"]
    seen: list[np.ndarray] = []
    own = FusedPredictor.score
    monkeypatch.setattr(
        FusedPredictor,
        "score",
        lambda self, views, cases, measured: seen.append(measured) or own(self, views, cases, measured),
    )
    still = [View(files["still"], box=BOX)]
    area = row["region"].replace(" ", ",")
    given = View(path, mask=mask, scan_area=area, frame_rate_hz=RATE_HZ, dynamic_range_db=RANGE_DB)
    found = measuring.predict([full(files, views={"bmode": still, "ceus": [given]})])
    np.testing.assert_allclose(seen[0][0], table.loc["V1", list(FEATURES)].to_numpy(float), rtol=1e-12)
    assert not any("perfusion" in note for note in found[0].notes)
    short = full(files)  # 12 frames, no outline
    found = measuring.predict([short, full(files, views={"bmode": still})])
    assert any("the perfusion of clip was not measured" in note for note in found[0].notes)
    assert any("perfusion is absent" in note for note in found[1].notes)
    assert np.isnan(seen[1]).all()
    with pytest.raises(InputError, match="its perfusion was not measured"):
        measuring.predict([full(files, views={"perfusion": [View(files["clip"])]}, columns={})])
