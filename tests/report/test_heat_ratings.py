"""Ratings of heat maps: what is read, refused and computed."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from isthmus.errors import InputError, TableError
from isthmus.report.heat_ratings import rating_evidence, read_ratings
from isthmus.report.heat_ratings_page import rating_sentences, write_rating_report

KEY_COLUMNS = ["form", "case", "arm", "view_id", "nodule_id", "group_id", "label", "call", "probability", "threshold",
               "heat_in_lesion"]  # fmt: skip


def write_key(folder: Path, cases: int = 24, arms: tuple[str, ...] = ("new",)) -> Path:
    rows = [
        [
            "abc", place * len(arms) + number + 1, arm, f"v{place}", f"n{place}", f"g{place // 2}", str(place % 2),
            str(int(place % 4 > 1)), 0.5, 0.5, place / cases,
        ]
        for place in range(cases)
        for number, arm in enumerate(arms)
    ]  # fmt: skip
    key = pd.DataFrame(rows, columns=KEY_COLUMNS)
    key["composition"] = np.where(key["label"] == "1", "solid", "cystic")
    key["echogenic_foci"] = np.where(key["label"] == "1", "punctate macrocalcifications", "none")
    key.to_csv(folder / "key.csv", index=False)
    return folder / "key.csv"


def write_ratings(folder: Path, reader: str, ratings: list[object], **columns: object) -> Path:
    rows: dict[str, object] = {
        "form": "abc", "reader_id": reader, "experience": "senior", "case": range(1, len(ratings) + 1),
        "rating": ratings, "criteria": "composition", "comment": "",
    }  # fmt: skip
    path = folder / f"ratings_{reader}.csv"
    pd.DataFrame(rows | columns).to_csv(path, index=False)
    return path


def test_each_fault_is_named_with_its_file_and_line(tmp_path):
    key = write_key(tmp_path)
    bad = {
        "high": (write_ratings(tmp_path, "high", [3, 6]), r"ratings_high\.csv, line 3, column 'rating': '6'.*1 to 5"),
        "half": (write_ratings(tmp_path, "half", [3, 2.5]), r"line 3, column 'rating': '2\.5'.*whole number"),
        "case": (write_ratings(tmp_path, "case", [3], case=[99]), r"line 2, column 'case': '99'.*1 to 24"),
        "form": (write_ratings(tmp_path, "form", [3], form="xyz"), r"line 2, column 'form': 'xyz'.*another form's"),
        "twice": (write_ratings(tmp_path, "twice", [3, 4], case=[1, 1]), r"line 3, column 'case': '1'.*once"),
        "word": (write_ratings(tmp_path, "word", [3], criteria="halo"), r"line 2, column 'criteria': 'halo'"),
        "both": (write_ratings(tmp_path, "both", [3], criteria="none margin"), r"line 2, column 'criteria'"),
    }
    for file, words in bad.values():
        with pytest.raises(TableError, match=words):
            read_ratings([file], key)


def test_a_reader_in_two_files_and_files_without_ratings_are_refused(tmp_path):
    key, first = write_key(tmp_path), write_ratings(tmp_path, "R1", [3, 4])
    second = tmp_path / "copy.csv"
    second.write_bytes(first.read_bytes())
    with pytest.raises(TableError, match=r"copy\.csv, line 2, column 'reader_id': 'R1'.*ratings_R1\.csv has this one"):
        read_ratings([first, second], key)
    with pytest.raises(InputError, match="hold no rating"):
        read_ratings([write_ratings(tmp_path, "R2", [])], key)


def evidence_of(tmp_path: Path, readers: int = 3, **key: object) -> tuple[pd.DataFrame, dict]:
    random = np.random.default_rng(5)
    path = write_key(tmp_path, **key)
    cases = pd.read_csv(path, dtype={"label": str, "call": str})
    right = (cases["label"] == cases["call"]).to_numpy()
    files = [
        write_ratings(tmp_path, f"R{reader}", list(np.clip(2 + 2 * right + random.integers(-1, 2, len(cases)), 1, 5)))
        for reader in range(readers)
    ]
    ratings = read_ratings(files, path)
    return ratings, rating_evidence(ratings, len(cases)) | {"marks": []}


def row_of(evidence: dict, of: str, which: str = "") -> dict:
    return next(row for row in evidence["rows"] if row["of"] == of and row["which"] == which)


def test_means_shares_and_parts_are_those_counted_by_hand(tmp_path):
    ratings, evidence = evidence_of(tmp_path)
    whole = row_of(evidence, "all")
    assert whole["mean"]["estimate"] == pytest.approx(ratings["rating"].mean())
    assert whole["share_good"]["estimate"] == pytest.approx((ratings["rating"] >= 4).mean())
    # Groups are of equal size, so that the interval is the t interval of their means.
    means = ratings.groupby("group_id")["rating"].mean()
    low, high = stats.t.interval(0.95, len(means) - 1, loc=means.mean(), scale=stats.sem(means))
    assert (whole["mean"]["low"], whole["mean"]["high"]) == pytest.approx((low, high))
    assert whole["mean_other_readers"]["low"] <= whole["mean"]["low"]
    solid = ratings[ratings["composition"] == "solid"]["rating"]
    assert row_of(evidence, "composition", "solid")["mean"]["estimate"] == pytest.approx(solid.mean())
    assert (
        row_of(evidence, "echogenic_foci", "punctate")["n"]
        == row_of(evidence, "echogenic_foci", "macrocalcifications")["n"]
    )
    right, wrong = (row_of(evidence, "call", which)["mean"]["estimate"] for which in ("right", "wrong"))
    assert evidence["differences"][0]["estimate"] == pytest.approx(right - wrong)


def test_agreement_is_that_of_scikit_learn_and_heat_that_of_scipy(tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    ratings, evidence = evidence_of(tmp_path)
    wide = ratings.pivot(index="case", columns="reader_id", values="rating")
    assert len(evidence["agreement"]["kappa"]) == 3
    for pair in evidence["agreement"]["kappa"]:
        expected = metrics.cohen_kappa_score(
            wide[pair["a"]], wide[pair["b"]], weights="quadratic", labels=[1, 2, 3, 4, 5]
        )
        assert pair["estimate"] == pytest.approx(expected)
        assert pair["low"] <= pair["estimate"] <= pair["high"]
    heat = ratings.groupby("case")["heat_in_lesion"].first()
    expected = stats.spearmanr(wide.mean(axis=1), heat).statistic
    assert evidence["heat_in_lesion"][0]["estimate"] == pytest.approx(expected)


def test_agreement_among_few_patients_is_shown_with_a_warning(tmp_path):
    ratings, evidence = evidence_of(tmp_path, cases=8)  # 4 patients
    for entry in (*evidence["agreement"]["kappa"], evidence["agreement"]["icc"]):
        assert "4 patients: too few for the interval to be trusted" in entry["note"]
    write_rating_report(ratings, 8, tmp_path / "out", title="A run", arms={"new": "New"}, marks=[])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "take such values as a description of these cases" in page
    (tmp_path / "many").mkdir()
    _, many = evidence_of(tmp_path / "many", cases=24)  # 12 patients
    assert all("few" not in entry for entry in (*many["agreement"]["kappa"], many["agreement"]["icc"]))


def test_criteria_are_counted_beside_what_the_cohort_records(tmp_path):
    _, evidence = evidence_of(tmp_path)
    named = {entry["criterion"]: entry["estimate"] for entry in evidence["criteria"]}
    assert named["composition"] == 1.0
    assert named["margin"] == 0.0
    codes = {(entry["criterion"], entry["code"]) for entry in evidence["criteria_by_descriptor"]}
    assert ("echogenic_foci", "none") in codes
    assert ("composition", "solid") in codes


def test_the_words_claim_what_the_intervals_show(tmp_path):
    _, evidence = evidence_of(tmp_path)
    said = " ".join(rating_sentences(evidence, {"new": "New net"}))
    assert "3 readers rated 24 of 24 heat maps" in said
    assert "New net: heat maps of right calls were rated higher than those of wrong calls by these readers" in said
    for entry in evidence["differences"]:
        entry["low"], entry["high"] = -1.0, 1.0
    assert "not shown to be rated differently" in " ".join(rating_sentences(evidence, {}))
    few = {**evidence, "differences": [{**evidence["differences"][0], "cases": [9, 15]}]}
    assert "too few to tell" in " ".join(rating_sentences(few, {}))


def test_one_reader_has_no_agreement_and_no_interval_over_readers(tmp_path):
    _, evidence = evidence_of(tmp_path, readers=1)
    assert evidence["agreement"]["kappa"] == []
    assert evidence["agreement"]["icc"]["estimate"] is None
    assert row_of(evidence, "all")["mean_other_readers"]["low"] is None
    assert "One reader" in rating_sentences(evidence, {})[-1]


def test_two_arms_are_compared_on_the_same_views(tmp_path):
    ratings, evidence = evidence_of(tmp_path, cases=20, arms=("new", "old"))
    pair = next(entry for entry in evidence["differences"] if not entry["arm"])
    means = ratings.groupby("arm")["rating"].mean()
    assert pair["estimate"] == pytest.approx(means["new"] - means["old"])
    assert pair["cases"] == [20, 20]


def test_the_report_folder_is_whole(tmp_path):
    ratings, evidence = evidence_of(tmp_path)
    write_rating_report(ratings, 24, tmp_path / "out", title="A <run>", arms={"new": "New"}, marks=["SIMULATED"])
    kept = json.loads((tmp_path / "out" / "ratings.json").read_text(encoding="utf-8"))
    assert kept["rows"] == evidence["rows"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "A &lt;run&gt;" in page
    assert "Research use only" in page
    assert "SIMULATED" in page
    for name in ("ratings", "means", "agreement", "criteria", "criteria_by_descriptor", "heat_in_lesion"):
        assert (tmp_path / "out" / "tables" / f"{name}.csv").is_file()
