"""What lies on disk after a prediction."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd

from isthmus.inference.load import load_bundle
from isthmus.inference.output import as_frame, write_predictions
from isthmus.inference.prediction import Brought, Predictions
from tests.inference.small_models import BOX, bundle, picture


def written(tmp_path: Path, **changes: object) -> tuple[pd.DataFrame, dict]:
    predictor = load_bundle(bundle(tmp_path / "bundle", **changes), "cpu")
    paths = [picture(tmp_path / "007.png"), tmp_path / "absent.png"]
    found = predictor.predict(paths, boxes=[BOX] * 2)
    out = tmp_path / "out"
    out.mkdir()
    table, page = write_predictions(out, found, predictor.spec)
    return pd.read_csv(table, keep_default_na=False), json.loads(page.read_text(encoding="utf-8"))


def test_table_and_page_say_the_same_and_list_what_failed(tmp_path: Path) -> None:
    table, page = written(tmp_path)
    assert table["file"].tolist() == ["007.png", "absent.png"]
    first = page["predictions"][0]
    assert float(table["probability"][0]) == first["probability"]
    assert first["words"] == table["words"][0]
    assert first["words"].startswith(("suspicious (", "not suspicious ("))
    assert table["probability"][1] == ""
    assert "no such file" in table["error"][1]
    assert page["failed"][0]["file"] == "absent.png"


def test_what_only_a_later_case_has_is_a_column_too(tmp_path: Path) -> None:
    predictor = load_bundle(bundle(tmp_path / "bundle"), "cpu")
    (plain,) = predictor.predict([picture(tmp_path / "a.png")], boxes=[BOX])
    more = replace(plain, brought=Brought({"swe": 0.5}, 0.0, 0.5))
    table = as_frame(Predictions([plain, more]), predictor.spec)
    assert table["brought_swe"].fillna(0).tolist() == [0, 0.5]
    assert table.columns[-3:].tolist() == ["marks", "notice", "error"]


def test_no_folder_is_named_and_the_notice_stands(tmp_path: Path) -> None:
    table, page = written(tmp_path)
    text = table.to_csv() + json.dumps(page)
    assert str(tmp_path) not in text
    assert page["notice"] == "Research use only; not a medical device."
    assert table["notice"][0] == page["notice"]


def test_tirads_labels_never_become_malignancy_or_a_diagnosis(tmp_path: Path) -> None:
    table, page = written(tmp_path)
    text = (table.to_csv() + json.dumps(page)).lower()
    assert "malignan" not in text
    assert "diagnos" not in text
    assert "not pathology" in text


def test_smoke_and_simulated_stand_in_both_files(tmp_path: Path) -> None:
    cohort = {
        "name": "phantom", "fingerprint": "0" * 64, "licence": "none", "simulated": True, "reference": "surgery",
    }  # fmt: skip
    table, page = written(tmp_path, smoke=True, cohort=cohort, classes={"0": "benign", "1": "malignant"})
    assert table["marks"][0] == "SIMULATED SMOKE"
    assert page["marks"] == ["SIMULATED", "SMOKE"]
    assert [remark.partition(":")[0] for remark in page["remarks"]] == ["SIMULATED", "SMOKE"]
