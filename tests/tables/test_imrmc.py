"""The .imrmc file: a real one of iMRMC, a round trip, and every way in which a line can be wrong."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import TableError
from isthmus.tables.imrmc import read_imrmc, write_imrmc

REAL = Path(__file__).parent / "data" / "imrmc_test.imrmc"
SMALL = "front matter\nBEGIN DATA:\ntruth,a,truth,0\n-1,b,truth,1\nr1,a,x,1\nr1,b,x,2.5\n"


def _file(folder: Path, text: str) -> Path:
    path = folder / "study.imrmc"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_imrmc_itself_is_read_with_its_blanks_forgiven() -> None:
    reads, truth = read_imrmc(REAL)
    # Counted in the file: 4 readers x 29 cases x 2 modalities; truth 0 for cases 1 to 25, 1 for 26 to 29.
    assert len(reads) == 4 * 29 * 2
    assert sorted(reads["reader_id"].unique()) == ["2", "3", "4", "reader1"]
    assert list(reads["condition"].unique()) == ["modality1", "2"]
    assert truth["label"].value_counts().to_dict() == {"negative": 25, "positive": 4}
    assert reads.groupby(["reader_id", "condition"])["score"].sum().to_dict() == {
        ("2", "2"): 23.0, ("2", "modality1"): 23.0, ("3", "2"): 24.0, ("3", "modality1"): 25.0,
        ("4", "2"): 25.0, ("4", "modality1"): 23.0, ("reader1", "2"): 25.0, ("reader1", "modality1"): 23.0,
    }  # fmt: skip
    assert reads.attrs["notes"] == ["imrmc_test.imrmc declares 24 negative cases (N0), its data hold 25"]


def test_reads_have_the_columns_of_the_table_of_reads(tmp_path: Path) -> None:
    reads, truth = read_imrmc(_file(tmp_path, SMALL), positive="malignant", negative="benign", target="outcome")
    assert list(reads.columns) == ["reader_id", "condition", "session", "target", "unit_id", "score"]
    assert reads.to_dict("list") == {
        "reader_id": ["r1", "r1"], "condition": ["x", "x"], "session": ["", ""], "target": ["outcome", "outcome"],
        "unit_id": ["a", "b"], "score": [1.0, 2.5],
    }  # fmt: skip
    assert truth.to_dict("list") == {"unit_id": ["a", "b"], "label": ["benign", "malignant"]}
    assert reads.attrs["notes"] == []


@given(
    scores=st.lists(st.floats(-1e9, 1e9), min_size=6, max_size=6),
    positive=st.lists(st.booleans(), min_size=3, max_size=3),
)
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_read_back(
    scores: list[float], positive: list[bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("round") / "study.imrmc"
    reads = pd.DataFrame(
        {
            "reader_id": ["r1"] * 3 + ["r2"] * 3,
            "condition": "aided",
            "unit_id": ["a", "b", "c"] * 2,
            "score": scores,
        }
    )
    truth = pd.DataFrame({"unit_id": ["a", "b", "c"], "label": ["yes" if p else "no" for p in positive]})
    write_imrmc(path, reads, truth, positive="yes")
    again, labels = read_imrmc(path, positive="yes", negative="no")
    assert again[["reader_id", "condition", "unit_id", "score"]].to_dict("list") == reads.to_dict("list")
    assert labels.to_dict("list") == truth.to_dict("list")
    assert again.attrs["notes"] == []


def test_a_real_file_survives_the_round_trip(tmp_path: Path) -> None:
    reads, truth = read_imrmc(REAL)
    write_imrmc(tmp_path / "again.imrmc", reads, truth)
    again, labels = read_imrmc(tmp_path / "again.imrmc")
    pd.testing.assert_frame_equal(again, reads)
    pd.testing.assert_frame_equal(labels, truth)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("r1,a,x", "line 7, column 'reader,case,modality,score': 'r1,a,x'; expected four values between commas"),
        ("r1,a,y,high", "line 7, column 'score': 'high'; expected a finite number"),
        ("r1,a,y,nan", "line 7, column 'score': 'nan'; expected a finite number"),
        ("r1,a,y,inf", "line 7, column 'score': 'inf'; expected a finite number"),
        ("r1,c,x,3", "line 7, column 'case': 'c'; expected a line truth,c,truth,0 (or 1)"),
        ("r1,a,x,3", "line 7, column 'case': 'a'; expected one read; line 5 holds it already"),
        ("truth,a,truth,1", "line 7, column 'case': 'a'; expected one truth for each case; line 3 gives it already"),
        ("truth,c,truth,2", "line 7, column 'score': '2'; expected truth 0 (negative) or 1 (positive)"),
    ],
)
def test_a_wrong_line_is_named(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(TableError) as caught:
        read_imrmc(_file(tmp_path, SMALL + line + "\n"))
    assert said in str(caught.value)


def test_all_wrong_lines_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"3 bad values"):
        read_imrmc(_file(tmp_path, SMALL + "r1,a\nr1,b,y,x\nr2,,x,1\n"))


def test_a_file_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no line 'BEGIN DATA:'"):
        read_imrmc(_file(tmp_path, "reader,case,modality,score\n"))
    with pytest.raises(TableError, match="no reading"):
        read_imrmc(_file(tmp_path, "BEGIN DATA:\ntruth,a,truth,0\n"))
    with pytest.raises(TableError, match="no such file"):
        read_imrmc(tmp_path / "absent.imrmc")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reader_id": ["r,1", "r2"]}, "a blank or a comma"),
        ({"reader_id": ["r 1", "r2"]}, "a blank or a comma"),
        ({"reader_id": ["Truth", "r2"]}, "keeps that name"),
        ({"score": [1.0, float("nan")]}, "no score"),
        ({"unit_id": ["a", "z"]}, "'z' has no truth"),
        ({"session": ["first", "second"]}, "more than one session"),
    ],
)
def test_what_the_file_cannot_keep_is_refused(change: dict[str, list[object]], said: str, tmp_path: Path) -> None:
    reads = pd.DataFrame({"reader_id": ["r1", "r2"], "condition": "x", "unit_id": ["a", "b"], "score": [1.0, 2.0]})
    truth = pd.DataFrame({"unit_id": ["a", "b"], "label": ["no", "yes"]})
    with pytest.raises(TableError, match=said):
        write_imrmc(tmp_path / "study.imrmc", reads.assign(**change), truth, positive="yes")


@given(lines=st.lists(st.text(alphabet="truh-10r,aé. \tx\n\x00", max_size=12), max_size=12))
@settings(max_examples=40, deadline=None)
def test_no_text_makes_it_crash(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "study.imrmc"
    path.write_text("BEGIN DATA:\n" + "\n".join(lines), encoding="utf-8")
    try:
        reads, truth = read_imrmc(path)
    except TableError:
        return
    assert set(reads["unit_id"]) <= set(truth["unit_id"])
