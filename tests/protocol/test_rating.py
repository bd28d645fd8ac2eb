"""From a finished run to a form and back, by the command line."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from isthmus import cli
from isthmus.errors import InputError
from isthmus.protocol.rating import analyse, make_form


def test_a_form_of_a_run_is_filled_in_and_analysed(finished, tmp_path):
    run = finished[0].folder
    arm = _with_heat(run)
    made = CliRunner().invoke(cli.app, ["rate", "form", str(run), "--out", str(tmp_path / "f"), "--arm", arm,
                                        "--cases", "6", "--json"])  # fmt: skip
    assert made.exit_code == 0, made.output
    key = pd.read_csv(tmp_path / "f" / "key.csv", dtype={"label": str, "call": str})
    assert {"composition", "echogenic_foci"} <= set(key.columns)
    localisation = pd.read_csv(run / "explanations" / arm / "localisation.csv").set_index("view_id")
    assert key["probability"].tolist() == pytest.approx(localisation.loc[key["view_id"], "probability"].tolist())
    ratings = pd.DataFrame({"form": key["form"], "reader_id": "R1", "experience": "senior", "case": key["case"],
                            "rating": 4, "criteria": "none", "comment": ""})  # fmt: skip
    ratings.to_csv(tmp_path / "ratings_R1.csv", index=False)
    done = CliRunner().invoke(cli.app, ["rate", "analyse", str(run), str(tmp_path / "ratings_R1.csv"), "--key",
                                        str(tmp_path / "f" / "key.csv"), "--out", str(tmp_path / "a")])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "A smoke run" in done.output
    assert (tmp_path / "a" / "report.html").is_file()

    other = key.assign(view_id="elsewhere")
    other.to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(InputError, match="names view elsewhere, of which arm"):
        analyse(run, [tmp_path / "ratings_R1.csv"], tmp_path / "other.csv", tmp_path / "b")


def test_an_arm_without_heat_maps_is_refused(finished, tmp_path):
    with pytest.raises(InputError, match="arm vgg19 has no heat maps"):
        make_form(finished[0].folder, tmp_path / "f", arms=["vgg19"])


def _with_heat(run) -> str:
    import numpy as np

    return next(
        folder.name for folder in sorted((run / "explanations").iterdir()) if np.load(folder / "heat.npy").any()
    )
