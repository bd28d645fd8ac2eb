"""Who read what: rows to a study, and the crossed part of a study with gaps."""

import numpy as np
import pytest

from isthmus.statistics.multi_reader.figures import covariance_of_figures, figures_of_merit, jackknife_figures
from isthmus.statistics.multi_reader.obuchowski_rockette import obuchowski_rockette
from isthmus.statistics.multi_reader.study import ReaderStudy
from isthmus.statistics.roc import auc, clustered_auc
from tests.statistics.multi_reader.studies import replaced, simulated

ROWS = {
    "score": [1, 4, 2, 5, 3],
    "reader": ["b", "b", "a", "a", "a"],
    "condition": ["unaided", "unaided", "unaided", "unaided", "aided"],
    "case": ["x", "y", "x", "y", "x"],
    "truth": [0, 1, 0, 1, 0],
}


def test_rows_become_a_study_with_gaps() -> None:
    study = ReaderStudy.from_rows(**ROWS)
    assert (study.readers, study.conditions, study.cases) == (("a", "b"), ("unaided", "aided"), ("x", "y"))
    assert study.scores[0].tolist()[0] == [2.0, 5.0]
    assert np.isnan(study.scores[1, 1]).all()
    assert study.truth.tolist() == [False, True]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"case": ["x", "x", "x", "y", "x"], "truth": [0, 0, 0, 1, 0]}, "reader 'b' read case 'x' twice under"),
        ({"truth": [1, 1, 0, 1, 0]}, "case 'x' has more than one truth"),
        ({"group": ["g", "h", "g", "h", "h"]}, "case 'x' has more than one group"),
        ({"score": [1, 4, 2, 5, np.nan]}, "score: row 4 is nan"),
        ({"reader": ["a"]}, "need 5 values each"),
    ],
)
def test_wrong_rows_are_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ReaderStudy.from_rows(**(ROWS | change))


def test_cases_that_a_reader_skipped_are_left_out_and_counted() -> None:
    study = simulated(1)
    scores = study.scores.copy()
    scores[2, 0, [3, 7]] = np.nan
    scores[4, 1, 7] = np.nan
    crossed = replaced(study, scores=scores).crossed()
    assert crossed.scores.shape == (5, 2, 38)
    assert crossed.cases_left_out == 2
    assert crossed.notes == (
        "analysed: the 38 of 40 cases that every reader read under every condition; "
        "2 left out (reader r2 alone lacks 2)",
    )
    whole = replaced(
        study,
        scores=np.delete(study.scores, [3, 7], axis=2),
        truth=np.delete(study.truth, [3, 7]),
        groups=np.delete(study.groups, [3, 7]),
        cases=tuple(np.delete(study.cases, [3, 7])),
    )
    assert obuchowski_rockette(replaced(study, scores=scores)).overall == obuchowski_rockette(whole).overall


def test_a_reader_without_a_condition_is_left_out_before_any_case() -> None:
    study = simulated(2)
    scores = study.scores.copy()
    scores[1, 1] = np.nan
    crossed = replaced(study, scores=scores).crossed()
    assert crossed.readers == ("r0", "r2", "r3", "r4")
    assert crossed.scores.shape == (4, 2, 40)
    assert crossed.notes == ("left out, for no read under one of the conditions c0, c1: r1",)
    assert replaced(study, scores=scores).crossed(["c0"]).readers == study.readers


def test_readers_who_share_no_case_give_no_number_but_the_reason() -> None:
    study = simulated(3, readers=2)
    scores = study.scores.copy()
    scores[0, :, :20] = np.nan
    scores[1, :, 20:] = np.nan
    result = obuchowski_rockette(replaced(study, scores=scores))
    assert np.isnan(result.overall.p)
    assert result.notes[-1] == "no positive case that all readers read under every condition"
    assert result.as_dict()["means"]["c0"]["estimate"] is None


def test_an_experience_group_is_a_study_of_its_own() -> None:
    study = simulated(4)
    assert study.of_readers(["r3", "r1"]).readers == ("r1", "r3")
    assert study.of_readers(["r3", "r1"]).scores.tolist() == study.scores[[1, 3]].tolist()
    with pytest.raises(ValueError, match="no reader 'r9'"):
        study.of_readers(["r9"])


@pytest.mark.parametrize("per_group", [1, 2, 3])
@pytest.mark.parametrize("figure", ["auc", "sensitivity", "specificity"])
def test_figures_without_each_group_equal_those_computed_anew(figure: str, per_group: int) -> None:
    study = simulated(5, readers=2, cases=30, per_group=per_group)
    if figure != "auc":
        study = replaced(study, scores=(study.scores > 1).astype(float))
    crossed = study.crossed()
    without = jackknife_figures(crossed, figure)  # type: ignore[arg-type]
    relevant = {"auc": study.truth | True, "sensitivity": study.truth, "specificity": ~study.truth}[figure]
    for column, group in enumerate(np.unique(study.groups[relevant])):
        kept = study.groups != group
        for row, scores in enumerate(study.scores.reshape(4, -1)):
            truth, left = study.truth[kept], scores[kept]
            if figure == "auc":
                expected = auc(truth, left)
            else:
                expected = left[truth].mean() if figure == "sensitivity" else 1 - left[~truth].mean()
            assert without[row, column] == pytest.approx(expected, abs=1e-13)


def test_the_covariance_of_aucs_is_that_of_the_single_curves() -> None:
    study = simulated(6, per_group=2)
    crossed = study.crossed()
    flat = study.scores.reshape(10, -1)
    aucs, covariance = clustered_auc(study.truth, flat, study.groups)
    assert figures_of_merit(crossed).ravel() == pytest.approx(aucs)
    assert covariance_of_figures(crossed).reshape(10, 10) == pytest.approx(covariance)


def test_both_covariances_see_only_the_groups_when_every_case_is_doubled() -> None:
    study = simulated(7)
    doubled = replaced(
        study,
        scores=np.repeat(study.scores, 2, axis=2),
        truth=np.repeat(study.truth, 2),
        groups=np.repeat(study.groups, 2),
        cases=tuple(str(k) for k in range(80)),
    )
    for method in ("delong-clustered", "jackknife"):
        once = covariance_of_figures(study.crossed(), "auc", method)  # type: ignore[arg-type]
        twice = covariance_of_figures(doubled.crossed(), "auc", method)  # type: ignore[arg-type]
        assert twice == pytest.approx(once, abs=1e-15)
