"""The predict command with cases: named files, tables, and what it refuses."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from scipy.special import expit
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.errors import InputError, IsthmusError, OutputError, TableError
from isthmus.explain.prediction_cases import predict_given
from isthmus.inference.case_table import read_case_table
from isthmus.inference.named_files import case_of_files, columns_of
from isthmus.inference.prediction import Brought
from tests.inference.small_clips import clip
from tests.inference.small_fused import fused_bundle
from tests.inference.small_models import bundle, mask_of_box, picture

BOX = "40,30,100,80"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("given")
    fused_bundle(place / "fused")
    bundle(place / "single")
    picture(place / "still.png")
    picture(place / "other.png", 1)
    mask_of_box(place / "mask.png")
    clip(place / "clip")
    return place


def named(folder: Path, *more: str) -> list[str]:
    files = [f"bmode={folder / 'still.png'}", f"ceus={folder / 'clip'}"]
    return ["predict", str(folder / "fused"), *files, "--mask", f"bmode={folder / 'mask.png'}", *more]


def test_one_case_of_two_modalities_is_scored_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    columns = ["--column", "age_years=44", "--column", "sex=F"]
    result = CliRunner().invoke(app, [*named(folder), *columns, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "still.png; clip: Model score 0." in result.output
    assert "pairs 0." in result.output
    assert "SIMULATED" in result.output
    said = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))
    assert said["members"] == {"image": "bmode", "ceus_video": "ceus"}
    assert said["columns"] == ["age_years", "sex"]
    assert len(said["parts"]) == 6
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert sorted(manifest["outputs"]) == ["predictions.csv", "predictions.json"]
    assert str(folder) not in json.dumps([said, manifest])


def test_a_table_of_cases_scores_each_as_alone_and_lists_what_cannot_be_scored(folder: Path, tmp_path: Path) -> None:
    (folder / "cases.csv").write_text(
        "case_id,modality,path,mask,box,age_years,sex\n"
        "1,bmode,still.png,mask.png,,44,F\n"
        "1,ceus,clip,,,,\n"
        "2,bmode,other.png,,,50,M\n"
        '03,image,other.png,,"40,30,100,80",,M\n',
        encoding="utf-8",
    )
    command = ["predict", str(folder / "fused"), "--cases", str(folder / "cases.csv"), "--out", str(tmp_path / "a")]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 1, result.output  # one was not scored
    table = pd.read_csv(tmp_path / "a" / "predictions.csv", dtype={"case": str})
    assert table["case"].fillna("").tolist() == ["1", "03", ""]
    assert table["file"].tolist() == ["still.png; clip", "other.png", "2: other.png"]
    assert "trained on lesion crops" in table["error"].iloc[2]
    assert "ceus_video is absent" in table["notes"].iloc[1]
    columns = ["--column", "age_years=44", "--column", "sex=F", "--out", str(tmp_path / "b"), "--json"]
    alone = json.loads(CliRunner().invoke(app, [*named(folder), *columns]).stdout)["predictions"][0]
    assert table["probability"].iloc[0] == pytest.approx(alone["probability"], abs=1e-6)


def test_a_model_of_one_arm_takes_named_and_plain_files_and_tables_too(folder: Path, tmp_path: Path) -> None:
    plain = predict_given(folder / "single", [str(folder / "still.png")], tmp_path / "a", boxes=[BOX])
    name = predict_given(folder / "single", [f"bmode={folder / 'still.png'}"], tmp_path / "b", boxes=[f"bmode={BOX}"])
    (folder / "one.csv").write_text(f'case_id,modality,path,box\n1,bmode,still.png,"{BOX}"\n', encoding="utf-8")
    table = predict_given(folder / "single", [], tmp_path / "c", table=folder / "one.csv")
    assert plain.predictions[0].probability == name.predictions[0].probability
    assert table.predictions[0].probability == pytest.approx(plain.predictions[0].probability, abs=1e-6)
    assert table.lines()[0].startswith("1 (still.png): Model score 0.")
    with pytest.raises(InputError, match=r"looks at no 'ceus'.*expected bmode"):
        predict_given(folder / "single", [f"ceus={folder / 'clip'}"], tmp_path / "d")
    with pytest.raises(InputError, match="looks at pictures only"):
        predict_given(folder / "single", [str(folder / "still.png")], tmp_path / "d", columns=["age_years=4"])
    with pytest.raises(InputError, match="--box was given 2 times"):
        predict_given(folder / "single", [str(folder / "still.png")], tmp_path / "d", boxes=[BOX, BOX])


def test_a_fused_score_is_explained_by_each_members_heat_and_what_it_brought(folder: Path, tmp_path: Path) -> None:
    columns = ["--column", "age_years=44", "--column", "sex=F"]
    result = CliRunner().invoke(app, [*named(folder), *columns, "--explain", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert re.search(
        r"members brought in log odds \w+ [+-]0\.\d\d, .*; from [+-]0\.\d\d, an average case", result.output
    )
    pictures = ["001_ceus_video_clip.png", "001_image_still.png", "001_members.png"]
    assert sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir()) == pictures
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert {f"overlays/{name}" for name in pictures} < set(manifest["outputs"])
    said = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))["predictions"][0]
    brought = said["brought"]
    assert list(brought["members"]) == ["image", "ceus_video", "clinical"]
    assert brought["average"] + sum(brought["members"].values()) == pytest.approx(brought["log_odds"], abs=1e-9)
    # The mean of two log odds lies between those of the pairs, whose mean probability is given.
    assert expit(brought["log_odds"]) == pytest.approx(said["probabilities"]["1"], abs=0.01)
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert table["brought_image"][0] == pytest.approx(brought["members"]["image"])


def test_of_a_table_a_model_of_one_arm_draws_the_heat_of_every_picture(folder: Path, tmp_path: Path) -> None:
    (folder / "several.csv").write_text(
        "case_id,modality,path,box\n"
        '1,bmode,still.png,"40,30,100,80"\n2,bmode,other.png,\n'
        '3,bmode,still.png,"40,30,100,80"\n3,bmode,other.png,"40,30,100,80"\n',
        encoding="utf-8",
    )
    done = predict_given(folder / "single", [], tmp_path / "out", table=folder / "several.csv", explain=True)
    assert [one.case for one in done.predictions] == ["1", "3"]
    assert [path.name for path in done.overlays] == ["001_still.png", "003-1_still.png", "003-2_other.png"]
    assert all(path.is_file() for path in done.overlays)


def test_of_a_table_each_scored_case_is_explained_with_the_members_that_it_has(folder: Path, tmp_path: Path) -> None:
    (folder / "explained.csv").write_text(
        "case_id,modality,path,box,age_years,sex\n"
        "1,bmode,other.png,,50,M\n"
        '2,bmode,still.png,"40,30,100,80",44,F\n2,bmode,other.png,"40,30,100,80",,\n2,ceus,clip,,,\n'
        '3,bmode,other.png,"40,30,100,80",44,F\n',
        encoding="utf-8",
    )
    done = predict_given(folder / "fused", [], tmp_path / "out", table=folder / "explained.csv", explain=True)
    assert [one.case for one in done.predictions] == ["2", "3"]
    assert [failure.source for failure in done.failed] == ["1: other.png"]
    assert [path.name for path in done.overlays] == [
        "002_members.png", "002_image-1_still.png", "002_image-2_other.png", "002_ceus_video_clip.png",
        "003_members.png", "003_image_other.png",
    ]  # fmt: skip
    assert all(path.is_file() for path in done.overlays)
    alone, both = (one.brought for one in reversed(done.predictions))
    assert alone is not None
    assert both is not None
    assert alone.members["ceus_video"] != pytest.approx(both.members["ceus_video"])  # only its absence speaks
    plain = predict_given(folder / "fused", [], tmp_path / "plain", table=folder / "explained.csv")
    assert [one.probability for one in plain.predictions] == [one.probability for one in done.predictions]
    assert plain.predictions[0].brought is None


@pytest.mark.parametrize("rule", ["mean", "maximum"])
def test_what_members_brought_to_a_patient_is_of_the_nodule_that_decided_or_of_all(
    rule: str, folder: Path, tmp_path: Path
) -> None:
    model = fused_bundle(tmp_path / "model", unit="patient", aggregation={"nodule": "mean", "patient": rule})
    rows = ["P1,n1,bmode,still.png,44,F", "P1,n1,ceus,clip,,", "P1,n2,bmode,other.png,,"]

    def brought(name: str, lines: list[str]) -> list[Brought]:
        table = folder / f"{name}_{rule}.csv"
        lines = [f'{line},"{BOX}"' if "bmode" in line else f"{line}," for line in lines]
        table.write_text("\n".join(["case_id,nodule_id,modality,path,age_years,sex,box", *lines]), encoding="utf-8")
        done = predict_given(model, [], tmp_path / name, table=table, explain=True)
        scores.append([one.probabilities["1"] for one in done.predictions])
        return [one.brought for one in done.predictions if one.brought is not None]

    scores = list[list[float]]()
    (both,) = brought("both", rows)
    alone = brought("alone", [*rows[:2], rows[2].replace("P1", "P2").replace(",,", ",44,F")])
    assert both.average + sum(both.members.values()) == pytest.approx(both.log_odds, abs=1e-9)
    if rule == "mean":
        assert both.nodule == ""
        assert both.log_odds == pytest.approx((alone[0].log_odds + alone[1].log_odds) / 2, abs=1e-6)
    else:
        best = scores[1].index(max(scores[1]))
        assert both.nodule == ("n1", "n2")[best]
        assert both.members == pytest.approx(alone[best].members, abs=1e-6)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--mask", "bmode=nowhere.png"], "bmode has 1 files, and --mask was given 2 times for it"),
        (["--column", "size_mm=3"], "knows no column 'size_mm'"),
        (["--column", "age_years"], "names no value"),
        (["--cases", "cases.csv"], "files and --mask stand beside --cases"),
        (["--box", "40,30,100,80"], "not said whose this box is"),
        (["--box", "swe=40,30,100,80"], "a box was given for 'swe', and no file"),
        (["swe=still.png"], "no such file"),
        (["--network", "a=b.py", "--network", "c.py"], "several networks were given"),
    ],
)
def test_what_was_given_wrongly_is_one_clear_error(folder: Path, tmp_path: Path, more: list[str], words: str) -> None:
    result = CliRunner().invoke(app, [*named(folder), *more, "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, IsthmusError)
    assert words in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_and_something_must_be_given(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(OutputError):
        predict_given(folder / "fused", [str(folder / "still.png")], tmp_path / "out")
    with pytest.raises(InputError, match="no picture was given"):
        predict_given(folder / "fused", [], tmp_path / "new")


def test_bad_rows_of_a_table_are_reported_all_at_once(folder: Path) -> None:
    table = folder / "bad.csv"
    table.write_text(
        "case_id,modality,path,frame_rate_hz,sex\n"
        "1,bmode,still.png,,F\n,bmode,still.png,,\n1,ceus,nowhere,,\n1,ceus,clip,fast,\n1,ceus,clip,,M\n",
        encoding="utf-8",
    )
    with pytest.raises(TableError) as caught:
        read_case_table(table)
    for words in (
        "line 3: case_id is empty", "line 4: no file nowhere", "line 5: frame_rate_hz is 'fast'",
        "line 6: sex is 'M', and 'F' in another row of case 1",
    ):  # fmt: skip
        assert words in str(caught.value)
    table.write_text("case_id,path\n1,still.png\n", encoding="utf-8")
    with pytest.raises(TableError, match="no column 'modality'"):
        read_case_table(table)


def test_regions_belong_to_files_in_their_order(folder: Path) -> None:
    files = [str(folder / "still.png"), str(folder / "other.png")]
    case = case_of_files(files, ["bmode"], boxes=[BOX, "0,0,9,9"], scan_areas=["0,0,160,120"], frame_rate_hz=20)
    assert [view.box for view in case.views["bmode"]] == [BOX, "0,0,9,9"]
    assert {view.scan_area for view in case.views["bmode"]} == {"0,0,160,120"}
    with pytest.raises(InputError, match="not said whose this file is"):
        case_of_files(files, ["bmode", "ceus"])
    with pytest.raises(InputError, match="given twice"):
        columns_of(["sex=F", "sex=M"])
