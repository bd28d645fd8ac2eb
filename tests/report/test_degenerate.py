"""What a careless or unlucky table may hold: a defined answer or one clear sentence, and a report in any case."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import InputError, TableError
from isthmus.report.evaluate import evaluate


def table(units: int = 40, arms: tuple[str, ...] = ("a", "b")) -> pd.DataFrame:
    """Return two arms on the same units of a test set, every second one positive, two units a patient."""
    random = np.random.default_rng(11)
    positive = np.arange(units) % 2 == 1
    frames = []
    for arm in arms:
        probability = 1 / (1 + np.exp(-(1.2 * positive - 0.6 + random.normal(size=units))))
        frames.append(
            pd.DataFrame(
                {
                    "arm": arm,
                    "split": "test",
                    "unit_id": [f"n{unit}" for unit in range(units)],
                    "patient_id": [f"p{unit // 4}" for unit in range(units)],
                    "label": np.where(positive, "1", "0"),
                    "p_0": 1 - probability,
                    "p_1": probability,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def with_probability(frame: pd.DataFrame, rows: Any, value: Any) -> pd.DataFrame:
    frame = frame.copy()
    frame.loc[rows, "p_1"] = value
    frame.loc[rows, "p_0"] = 1 - frame.loc[rows, "p_1"]
    return frame


def one_positive(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(label=np.where(frame["unit_id"] == "n1", "1", "0"))


def all_ties(frame: pd.DataFrame) -> pd.DataFrame:
    return with_probability(frame, frame.index, np.where(frame["label"] == "1", 0.5, 0.5))


def constant_in_one_arm(frame: pd.DataFrame) -> pd.DataFrame:
    return with_probability(frame, frame["arm"] == "a", 0.3)


def identical_models(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame[frame["arm"] == "a"], frame[frame["arm"] == "a"].assign(arm="b")], ignore_index=True)


def perfect(frame: pd.DataFrame) -> pd.DataFrame:
    return with_probability(frame, frame.index, np.where(frame["label"] == "1", 0.9, 0.1))


def certain(frame: pd.DataFrame) -> pd.DataFrame:
    return with_probability(frame, frame.index, np.where(frame["label"] == "1", 1.0, 0.0))


def other_units_in_one_arm(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["arm"] == "a") | (frame.index % 3 > 0)]


def no_unit_in_common(frame: pd.DataFrame) -> pd.DataFrame:
    half = frame["unit_id"].str[1:].astype(int) < 20
    return frame[(frame["arm"] == "a") == half]


def four_cases(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["unit_id"].isin(["n0", "n1", "n5", "n6"])]


def one_patient(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(patient_id="p")


def one_arm(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["arm"] == "a"]


def bare_scores(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(score=frame["p_1"] * 1e6).drop(columns=["p_0", "p_1"])


def a_class_missing_in_a_split(frame: pd.DataFrame) -> pd.DataFrame:
    outside = frame[frame["label"] == "1"].assign(split="external")
    return pd.concat([frame, outside.assign(unit_id="x" + outside["unit_id"])], ignore_index=True)


SURVIVED = [
    one_positive, all_ties, constant_in_one_arm, identical_models, perfect, certain, other_units_in_one_arm,
    no_unit_in_common, four_cases, one_patient, one_arm, bare_scores, a_class_missing_in_a_split,
]  # fmt: skip


Change = Callable[[pd.DataFrame], pd.DataFrame]
Evaluated = Callable[[Change], tuple[dict[str, Any], str]]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """Give the evidence and the page of a changed table, arm a the reference; each is made once, for whoever asks."""

    @functools.cache
    def of(change: Change) -> tuple[dict[str, Any], str]:
        folder = tmp_path_factory.mktemp(change.__name__) / "out"
        evidence = evaluate(change(table()), folder, bootstrap=50, reference_arm="a")
        return evidence, (folder / "report.html").read_text(encoding="utf-8")

    return of


@pytest.mark.parametrize("change", SURVIVED, ids=lambda change: change.__name__)
def test_a_report_is_made_of_it(evaluated: Evaluated, change: Change) -> None:
    evidence, page = evaluated(change)
    assert "nan" not in page.lower().replace("nano", "").replace("finance", "").split()
    for by_split in evidence["arms"].values():
        for facts in by_split.values():
            value = facts["auc"]
            assert value["estimate"] is not None or value["note"]


def test_identical_models_do_not_differ(evaluated: Evaluated) -> None:
    evidence, _ = evaluated(identical_models)
    compared = [entry for entry in evidence["comparisons"] if entry["measure"] == "auc"]
    assert [(entry["difference"], entry["p"]) for entry in compared] == [(0.0, 1.0)]


def test_constant_scores_rank_at_chance_and_say_so(evaluated: Evaluated) -> None:
    evidence, _ = evaluated(constant_in_one_arm)
    value = evidence["arms"]["a"]["test"]["auc"]
    assert value["estimate"] == 0.5
    assert value["note"]


def test_different_case_sets_are_compared_on_the_shared_cases_and_that_is_said(evaluated: Evaluated) -> None:
    evidence, _ = evaluated(other_units_in_one_arm)
    compared = next(entry for entry in evidence["comparisons"] if entry["measure"] == "auc")
    assert compared["n"] < 40
    assert "one arm only" in compared["note"]


@pytest.mark.parametrize("value", [5e15, -0.2, float("inf"), float("nan")])
def test_a_score_that_is_no_probability_is_named_by_row(tmp_path: Path, value: float) -> None:
    frame = table()
    frame.loc[7, "p_1"] = value
    frame.to_csv(tmp_path / "scores.csv", index=False)
    with pytest.raises(TableError, match="line 9"):
        evaluate(tmp_path / "scores.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_bare_score_that_is_no_number_is_named_by_row(tmp_path: Path, value: float) -> None:
    frame = bare_scores(table())
    frame.loc[3, "score"] = value
    frame.to_csv(tmp_path / "scores.csv", index=False)
    with pytest.raises(TableError, match="line 5"):
        evaluate(tmp_path / "scores.csv", tmp_path / "out")


def test_a_unit_scored_twice_by_an_arm_is_named_by_row(tmp_path: Path) -> None:
    frame = table()
    pd.concat([frame, frame.iloc[[4]]]).to_csv(tmp_path / "scores.csv", index=False)
    with pytest.raises(TableError, match=r"line 82.*\n.*|line 82"):
        evaluate(tmp_path / "scores.csv", tmp_path / "out")


def test_one_class_alone_is_refused_in_one_sentence(tmp_path: Path) -> None:
    frame = bare_scores(table())
    with pytest.raises(InputError, match="only one class"):
        evaluate(frame[frame["label"] == "1"], tmp_path / "out")


def test_reads_of_unknown_units_are_counted_and_reads_given_twice_are_named(tmp_path: Path) -> None:
    frame = table()
    units = ["n0", "n1", "n2", "n3", "n4", "n5", "zz"]
    reads = pd.DataFrame({"reader_id": "r1", "unit_id": units, "call": ["0", "1", "1", "1", "0", "1", "1"]})
    reads.to_csv(tmp_path / "reads.csv", index=False)
    evaluate(frame, tmp_path / "out", reads=tmp_path / "reads.csv", bootstrap=50)
    assert "1 read of 7 are of no unit here" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    pd.concat([reads, reads.iloc[[2]]]).to_csv(tmp_path / "twice.csv", index=False)
    with pytest.raises(TableError, match="line 9"):
        evaluate(frame, tmp_path / "again", reads=tmp_path / "twice.csv")


def test_reads_of_another_study_are_refused(tmp_path: Path) -> None:
    reads = pd.DataFrame({"reader_id": ["r1"], "unit_id": ["elsewhere"], "call": ["1"]})
    reads.to_csv(tmp_path / "reads.csv", index=False)
    with pytest.raises(InputError, match="unit_id as in the predictions"):
        evaluate(table(), tmp_path / "out", reads=tmp_path / "reads.csv")


def test_a_reader_who_skipped_cases_is_reported_on_those_read(tmp_path: Path) -> None:
    units = [f"n{unit}" for unit in range(40)]
    calls = np.where(np.arange(40) % 3 == 0, "0", "1")
    full = pd.DataFrame({"reader_id": "r1", "unit_id": units, "call": calls, "condition": "unaided"})
    some = full.iloc[::2].assign(reader_id="r2")
    evidence = evaluate(
        table(), tmp_path / "out", reads=pd.concat([full, some]).assign(target="target", session=""), bootstrap=50
    )
    counted = {row["name"]: row["n"] for row in evidence["readers"]["rows"] if row["kind"] == "reader"}
    assert counted == {"r1": 40, "r2": 20}
