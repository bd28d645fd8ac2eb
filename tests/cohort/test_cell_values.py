"""What cells mean, expected by hand."""

import pytest

from isthmus.cohort.cell_values import NotUnderstood, meaning
from isthmus.cohort.dates import parse_date
from isthmus.cohort.headings import guess_column, guess_labels, guess_unit, guess_values
from isthmus.cohort.map_parts import Source, TargetSource

MM = Source(heading="x", unit="mm")
CM = Source(heading="x", unit="cm")
PLAIN = Source(heading="x")


@pytest.mark.parametrize(
    ("text", "source", "mm"),
    [
        ("12", MM, "12"), ("1.2", CM, "12"), ("1.2cm", PLAIN, "12"), ("12 x 8 x 10", MM, "12"),
        ("0.8×1.25", CM, "12.5"), ("12*8mm", MM, "12"), ("１２毫米", MM, "12"), ("", MM, ""),
    ],
)  # fmt: skip
def test_sizes_become_the_largest_length_in_millimetres(text: str, source: Source, mm: str) -> None:
    assert meaning("size_mm", text, source) == mm


@pytest.mark.parametrize(
    ("text", "source"), [("12", PLAIN), ("1.2cm", MM), ("1200", MM), ("0.1", MM), ("about 12", MM)]
)
def test_a_size_without_unit_of_another_or_out_of_range_is_not_understood(text: str, source: Source) -> None:
    with pytest.raises(NotUnderstood):
        meaning("size_mm", text, source)


@pytest.mark.parametrize(
    ("text", "years"),
    [("45", "45"), ("45岁", "45"), ("18个月", "1.5"), ("6 months", "0.5"), ("045Y", "45"), ("45.0", "45")],
)
def test_ages_are_years(text: str, years: str) -> None:
    assert meaning("age_years", text, PLAIN) == years


@pytest.mark.parametrize("text", ["430", "-1", "forty", "#N/A", "#DIV/0!"])
def test_an_age_out_of_range_or_an_error_is_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstood):
        meaning("age_years", text, PLAIN)


def test_codes_of_ours_are_known_and_foci_may_be_several() -> None:
    values = {"微钙化": "punctate", "粗大钙化": "macrocalcifications", "无": "none"}
    foci = Source(heading="x", values=values)
    assert meaning("echogenic_foci", "粗大钙化、微钙化", foci) == "macrocalcifications punctate"
    assert meaning("margin", "Irregular", PLAIN) == "irregular"
    with pytest.raises(NotUnderstood):
        meaning("echogenic_foci", "无、微钙化", foci)


def test_a_label_is_what_the_map_says_or_a_class_itself() -> None:
    target = TargetSource(
        heading="x", values={"恶性": 1, "?": ""}, classes={0: "benign", 1: "malignant"}, reference="surgery"
    )
    assert [meaning("malignant", text, target) for text in ("恶性 ", "0", "？", "")] == ["1", "0", "", ""]
    with pytest.raises(NotUnderstood, match="恶性"):
        meaning("malignant", "良性", target)


@pytest.mark.parametrize("text", ["1.23E+11", "1.2345E+17", "1,23E+11", "2E+05"])
def test_shortened_ids_are_not_ids(text: str) -> None:
    with pytest.raises(NotUnderstood, match="digits are lost"):
        meaning("patient_id", text, PLAIN)


@pytest.mark.parametrize("text", ["007", "E11", "1E5", "A-12/3", "20231234"])
def test_ids_stay_as_they_are(text: str) -> None:
    assert meaning("patient_id", text, PLAIN) == text


@pytest.mark.parametrize("text", ["2023-02-30", "13.13.2023", "23-01-05", "20231301", "yesterday", "45291"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text, "day_first") is None


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("姓名", "identifying"), ("患者姓名", "identifying"), ("Patient name", "identifying"),
        ("联系电话", "identifying"), ("出生日期", "identifying"), ("检查医生", "identifying"),
        ("住院号", "patient_id"), ("登记号", "patient_id"),
        ("Patient ID", "patient_id"), ("MRN", "patient_id"), ("检查号", "exam_id"), ("Accession Number", "exam_id"),
        ("病理结果", "label"), ("良恶性", "label"), ("病理", "label"), ("Pathology", "label"), ("malignancy", "label"),
        ("年龄(岁)", "age_years"), ("Age", "age_years"), ("性别", "sex"), ("Gender", "sex"), ("结节大小", "size_mm"),
        ("Nodule size (mm)", "size_mm"), ("位置", "location"), ("院区", "site"), ("医院", "site"), ("Hospital", "site"),
        ("检查日期", "exam_date"), ("Exam date", "exam_date"), ("ACR TI-RADS", "tirads"), ("结节编号", "nodule_id"),
        ("文件名", "file"), ("image", "file"), ("备注", None), ("手术方式", None),
    ],
)  # fmt: skip
def test_headings_are_guessed(heading: str, column: str | None) -> None:
    assert guess_column(heading) == column


def test_values_are_guessed_and_doubt_is_left_blank() -> None:
    texts = [
        "恶性",
        "良性",
        "甲状腺乳头状癌",
        "结节性甲状腺肿",
        "可疑恶性",
        "非恶性",
        "malignant",
        "Benign",
        "阳性",
        "阴性",
        "未做",
    ]
    assert list(guess_values("label", texts).values()) == ["1", "0", "1", "0", "", "", "1", "0", "1", "0", ""]
    assert guess_values("sex", ["男", "女", "F", "male", "1"]) == {"男": "M", "女": "F", "F": "F", "male": "M", "1": ""}
    assert guess_values("tirads", ["4A", "C-TIRADS 4a", "TR5", "5类", "x"]) == {
        "4A": "4a", "C-TIRADS 4a": "4a", "TR5": "TR5", "5类": "5", "x": ""
    }  # fmt: skip
    assert [guess_unit("大小(cm)", []), guess_unit("大小", ["8mm"]), guess_unit("大小", ["8"])] == ["cm", "mm", None]


def test_a_draft_never_turns_a_label_round() -> None:
    denied = [
        "未查见癌",
        "无癌",
        "未检出癌细胞",
        "癌待排",
        "malignancy: no",
        "without malignancy",
        "suspected carcinoma",
    ]
    denied += ["rule out carcinoma", "no cancer", "malignant = 0", "likely malignant"]
    assert set(guess_values("label", denied).values()) == {""}
    assert guess_values("label", ["no", "未分化癌", "PTC"]) == {"no": "0", "未分化癌": "1", "PTC": "1"}
    for heading in ("Benign", "benign (1/0)", "良性"):
        assert set(guess_labels(heading, ["1", "0", "yes", "no", "是", "+"]).values()) == {""}
    assert guess_labels("Benign", ["benign", "PTC"]) == {"benign": "0", "PTC": "1"}
    for heading in ("benign/malignant", "良恶性", "Malignant"):
        assert guess_labels(heading, ["1", "0"]) == {"1": "1", "0": "0"}


def test_bare_headings_are_known() -> None:
    told = {name: guess_column(name) for name in ("nodule", "Lesion", "Result", "class", "Ground truth", "nodule size")}
    assert list(told.values()) == ["nodule_id", "nodule_id", "label", "label", "label", "size_mm"]
