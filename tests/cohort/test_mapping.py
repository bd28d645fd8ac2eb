"""Maps: the guide's own, the example's, and wrong ones. What YAML makes of unquoted words is text again."""

import re
from pathlib import Path

import pytest
import yaml

from isthmus.cohort.map_parts import ModalityRule
from isthmus.cohort.mapping import read_map, write_map
from isthmus.errors import InputError

DOCS = Path(__file__).parents[2] / "docs"
LEAST = {
    "format": "isthmus-map/1.0",
    "name": "x",
    "join": {"match": {"id": "stem"}},
    "columns": {"patient_id": "id"},
    "targets": {"malignant": {"heading": "y", "classes": {0: "benign", 1: "malignant"}, "reference": "mixed"}},
}


def written(folder: Path, **changes: object) -> Path:
    path = folder / "map.yaml"
    path.write_text(yaml.safe_dump({**LEAST, **changes}, allow_unicode=True), encoding="utf-8")
    return path


def test_the_guides_map_and_the_example_are_maps(tmp_path: Path) -> None:
    shown = re.search(r"```yaml\n(.*?)```", (DOCS / "import.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    (tmp_path / "map.yaml").write_text(shown[1], encoding="utf-8")
    assert read_map(tmp_path / "map.yaml").columns.size_mm is not None
    assert read_map(DOCS / "examples" / "breast_reader_study.map.yaml").nodules == "one_per_row"


def test_unquoted_yaml_is_text(tmp_path: Path) -> None:
    path = written(tmp_path, targets={"y": {**LEAST["targets"]["malignant"], "values": {True: 1, 7: 0, "?": None}}})
    assert read_map(path).targets["y"].values == {"true": "1", "7": "0", "?": ""}


def test_zeros_dates_and_truth_values_stay_what_stands_there(tmp_path: Path) -> None:
    path = written(tmp_path, columns={"patient_id": "id", "site": {"heading": "s", "values": {"PLACE": "HERE"}}})
    text = path.read_text(encoding="utf-8").replace(
        "      PLACE: HERE", "      007: 010\n      1.10: 1e3\n      no: on"
    )
    path.write_text(text, encoding="utf-8")
    assert read_map(path).columns.site.values == {"007": "010", "1.10": "1e3", "no": "on"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("      Benign: a\n      benign: b", r"'Benign' and 'benign', one but for capitals, have two meanings"),
        ("      x: a\n      x: b", "'x' stands twice"),
    ],
)
def test_cells_that_only_capitals_tell_apart_and_keys_that_come_twice_are_refused(
    tmp_path: Path, line: str, words: str
) -> None:
    path = written(tmp_path, columns={"patient_id": "id", "site": {"heading": "s", "values": {"PLACE": "HERE"}}})
    path.write_text(path.read_text(encoding="utf-8").replace("      PLACE: HERE", line), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_map(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "isthmus-map/2.0"}, "newer than this"),
        ({"format": "isthmus-cohort/1.0"}, "expected isthmus-map"),
        ({"moadlity": {}}, "unknown key; did you mean 'modality'"),
        ({"columns": {}}, "columns.patient_id: it is needed"),
        ({"columns": {"patient_id": {"heading": "a", "constant": "b"}}}, "give one of heading, key, constant"),
        ({"columns": {"patient_id": "id", "box": {"headings": ["a", "b"]}}}, "one column or four"),
        ({"join": {"match": {"id": "n"}, "pattern": "[0-9]+"}}, "named group"),
        ({"reads": {"columns": ["r"], "target": "z"}}, "none of the targets"),
        ({"extra": {"sex": {"heading": "a"}}}, "cannot name a column"),
        ({"identifying": ["y"]}, "would be copied"),
        ({"modality": {"default": "b-mode"}}, "modality.default"),
        ({"frame_folders": "("}, "no regular expression"),
    ],
)
def test_a_wrong_map_is_answered_with_its_place(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        read_map(written(tmp_path, **changes))


def test_all_wrong_entries_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 wrong entries"):
        read_map(written(tmp_path, nam="x", licens="y", dates="absolute"))


def test_labels_must_lead_to_classes(tmp_path: Path) -> None:
    wrong = {"y": {**LEAST["targets"]["malignant"], "values": {"恶性": 2}}}
    with pytest.raises(InputError, match="'2', which is no class"):
        read_map(written(tmp_path, targets=wrong))


def test_a_map_does_not_turn_a_label_round(tmp_path: Path) -> None:
    target = LEAST["targets"]["malignant"]
    turned = {"y": {**target, "classes": {"a": "malignant", "b": "benign"}}}
    path = written(tmp_path, targets=turned)
    with pytest.raises(InputError, match="put the malignant one last"):
        read_map(path)
    twice = {"y": {**target, "values": {"恶性": 1, "恶性 ": 0}}}
    with pytest.raises(InputError, match="'恶性' has two meanings, '1' and '0'"):
        read_map(written(tmp_path, targets=twice))


def test_a_map_is_never_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.raises(InputError, match="not overwritten"):
        write_map(path, "x")


def test_a_modality_is_told_by_the_path() -> None:
    rule = ModalityRule(patterns={"swe": "SWE|弹性", "ceus": "CEUS"})
    assert [rule.of(file) for file in ("a/弹性/1.png", "CEUS_1.avi", "1.png")] == ["swe", "ceus", "bmode"]
