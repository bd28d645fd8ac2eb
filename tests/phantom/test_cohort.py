"""A virtual cohort as a folder: valid, the same bytes however it was made, resumable, refused in one line."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from isthmus.cohort.audit import check_cohort
from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, IsthmusError, OutputError
from isthmus.files import write_json
from isthmus.imaging.read import probe
from isthmus.phantom import cohort as module
from isthmus.phantom.cohort import simulate
from isthmus.phantom.patients import draw_population
from isthmus.phantom.preset import load_preset
from isthmus.phantom.rendering import render_nodule, rows_file
from isthmus.phantom.simulation import Simulation
from isthmus.phantom.work import Task
from tests.phantom.small import DRAWS, NODULES, SEED, make, small_preset

COMMAND = """
import sys
from pathlib import Path
from tests.phantom.small import make
if __name__ == "__main__":
    make(Path(sys.argv[1]))
"""


ROOT = Path(__file__).resolve().parents[2]


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file but the one with the times."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "timing.json"
    }


def test_the_cohort_is_valid_and_its_check_is_clean(made_cohort: Path) -> None:
    cohort = load_cohort(made_cohort)
    assert cohort.simulated
    assert len(cohort.nodules) == NODULES
    assert set(cohort.nodules["split"]) == {"train", "test", "external"}
    assert cohort.examples("malignant")["mask"].notna().all()
    report = check_cohort(made_cohort)
    subjects = {finding.subject for finding in report.findings if finding.severity != "note"}
    assert not report.failed
    # Text inside the crop is the calipers that some sites save; few test nodules make few groups.
    assert subjects <= {"text", "labels"}


def test_a_cohort_for_testing_alone_has_no_part_to_train_on_and_no_wrong_label(tmp_path: Path) -> None:
    make(tmp_path / "fresh", 8, seed=3, test_only=True)
    cohort = load_cohort(tmp_path / "fresh")
    assert set(cohort.nodules["split"]) == {"test", "external"}
    truth = pd.read_csv(tmp_path / "fresh" / "truth" / "nodules.csv")
    assert not truth["label_flipped"].any()
    assert "wrong on purpose" not in " ".join(cohort.remarks)
    assert cohort.citation.endswith("--nodules 8 --seed 3 --test-only")
    assert cohort.name.endswith("seed 3")  # two cohorts of one preset can stand side by side


def test_the_folder_says_simulated_wherever_it_is_opened(made_cohort: Path) -> None:
    assert "SIMULATED" in (made_cohort / "README.txt").read_text()
    assert "not a medical device" in (made_cohort / "README.txt").read_text()
    cohort = load_cohort(made_cohort)
    assert cohort.name.startswith("SIMULATED")
    assert any("seed 1" in remark for remark in cohort.remarks)
    assert not list(made_cohort.rglob("*.partial*"))
    assert {path.name for path in made_cohort.iterdir() if path.is_dir()} == {"pictures", "masks", "truth"}


def test_the_manifest_names_what_was_made_and_no_place(made_cohort: Path) -> None:
    text = (made_cohort / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["preset"] == "small"
    assert (manifest["counts"]["nodules"], manifest["seed"]) == (NODULES, SEED)
    assert set(manifest["observers"]) == {"latents", "bmode"}
    for name, digest in manifest["outputs"].items():
        assert hashlib.sha256((made_cohort / name).read_bytes()).hexdigest() == digest
    assert {"views.csv", "cohort.yaml", "truth/truth.yaml", "truth/nodules.csv"} <= set(manifest["outputs"])
    assert str(made_cohort.parent) not in text
    assert "made-once" not in text  # nor where it was made, should this be the copy of another worker
    assert os.uname().nodename not in text


def test_the_end_says_what_was_made_what_is_possible_and_what_comes_next(made: Simulation) -> None:
    lines, facts = made.lines(), made.to_json()
    assert lines[0].startswith("SIMULATED small: ")
    assert "12 nodules, 12 views" in lines[0]
    assert lines[-1] == f"Next: isthmus cohort check {made.folder}"
    assert facts["observers"]["bmode"]["auc"] < facts["observers"]["latents"]["auc"]
    nodules = load_cohort(made.folder).nodules
    for unit in facts["units"]:
        code = {"benign": "0", "malignant": "1"}[unit["class"]]
        assert unit["count"] <= ((nodules["split"] == unit["part"]) & (nodules["malignant"] == code)).sum()
    assert sum(unit["count"] for unit in facts["units"]) == facts["nodules"] == NODULES


def test_a_killed_simulation_goes_on_and_ends_in_the_same_bytes(made_cohort: Path, tmp_path: Path) -> None:
    folder, partial = tmp_path / "cohort", tmp_path / "cohort.partial"
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    places = os.pathsep.join([str(ROOT), *sys.path])
    process = subprocess.Popen([sys.executable, str(script), str(folder)], env={**os.environ, "PYTHONPATH": places})
    for _ in range(3000):
        if len(list((partial / "work").glob("N*.json"))) >= 2:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.name: path.stat().st_mtime_ns for path in (partial / "work").glob("N*.json")}
    assert 2 <= len(done) < NODULES
    (partial / "pictures" / ".V000001.1.partial.png").write_bytes(b"what a killed process leaves")
    with pytest.raises(OutputError, match="another command's unfinished work lies here: seed 1"):
        make(folder, seed=SEED + 1)
    moves: list[tuple[str, int, int]] = []
    make(folder, progress=lambda *move: moves.append(move))
    assert moves[0][0] == "nodules"
    assert moves[0][1] >= 2
    assert moves[-1][1:] == (1, 1)
    assert ("nodules", NODULES, NODULES) in moves
    assert not partial.exists()
    assert fingerprint(folder) == fingerprint(made_cohort)


def test_one_that_was_stopped_just_before_its_end_is_only_renamed(made_cohort: Path, tmp_path: Path) -> None:
    partial = tmp_path / "cohort.partial"
    shutil.copytree(made_cohort, partial)
    write_json(partial / "plan.json", module._plan(small_preset(), NODULES, SEED, DRAWS))
    done = make(tmp_path / "cohort")
    assert "pictures" not in done.seconds
    assert not partial.exists()
    assert fingerprint(done.folder) == fingerprint(made_cohort)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("stils", 24), "did you mean 'stills'"),
        (("stills", 0), "--nodules 0; expected at least 1"),
        (("stills", -3), "--nodules -3"),
        (("stills", 24, -1), "--seed -1"),
        (("stills", 24, 0, 0), "--workers 0"),
        (("stills", 3), r"3 nodules leave \w+ without .*--nodules \d+ is enough"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments: tuple[Any, ...], words: str, tmp_path: Path) -> None:
    preset, *others = arguments
    with pytest.raises(CohortError, match=words) as raised:
        simulate(preset, tmp_path / "cohort", *others)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_the_number_that_is_called_enough_is_enough(tmp_path: Path) -> None:
    with pytest.raises(CohortError) as raised:
        make(tmp_path / "cohort", nodules=3)
    enough = int(str(raised.value.hint).split()[1])
    module._enough_of_each(draw_population(small_preset(), enough, SEED))


def test_a_folder_with_something_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        simulate("stills", tmp_path, NODULES)
    other = tmp_path / "cohort.partial"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="another command's unfinished work"):
        make(tmp_path / "cohort")
    assert [path.name for path in other.iterdir()] == ["mine.txt"]


def test_a_full_disk_is_one_line_and_what_is_done_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(tasks: Iterator[Task], workers: int) -> Iterator[str]:
        """Make three files in this process, then find the disk full."""
        for function, arguments in [next(tasks) for _ in range(3)]:
            yield function(*arguments)
        raise OutputError("the disk is full", where="views/V000007.png", hint="free some space")

    monkeypatch.setattr(module, "share_out", fill_up)
    with pytest.raises(OutputError, match=r"the disk is full .*2 of 12 nodules are done and kept") as raised:
        make(tmp_path / "cohort")
    assert "\n" not in str(raised.value)
    assert len(list((tmp_path / "cohort.partial" / "work").glob("N*.json"))) == 2
    assert not (tmp_path / "cohort").exists()


@pytest.mark.parametrize("preset", ["multimodal", "ceus-olnm", "cine-calcified"])
def test_the_first_view_of_every_modality_fits_its_row(preset: str, tmp_path: Path) -> None:
    population = draw_population(load_preset(preset), 40, SEED)
    views = population.views.sort_values("seconds", kind="stable").drop_duplicates("modality")
    views = views.assign(seconds=views["seconds"].clip(upper=0.5))
    for row in views.to_dict("records"):
        nodule = population.nodules.set_index("nodule_id", drop=False).loc[row["nodule_id"]].to_dict()
        render_nodule(tmp_path, SEED, nodule, [row], population.preset.sites[nodule["site"]].habits)
        (made,) = json.loads(rows_file(tmp_path, nodule["nodule_id"]).read_text())["views"]
        found = probe(tmp_path / made["path"])
        assert (found.frames > 1) == (row["modality"] in ("cine", "ceus"))
        assert found.frames == probe(tmp_path / made["mask"]).frames
        assert pd.isna(row["frame_rate_hz"]) or made["frame_rate_hz"] == pytest.approx(row["frame_rate_hz"])


def test_errors_of_isthmus_survive_the_way_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IsthmusError, match="not a folder"):
        make(tmp_path / "file" / "cohort")


def test_a_number_of_nodules_that_is_advised_leaves_patients_of_every_class_for_folds(tmp_path: Path) -> None:
    # `three-class --nodules 48 --seed 1` advised 60, of which zhao2025 could make no folds.
    with pytest.raises(CohortError) as refused:
        simulate("three-class", tmp_path / "cohort", 48, 1)
    (advised,) = re.findall(r"--nodules (\d+) is enough", str(refused.value))
    nodules = draw_population(load_preset("three-class"), int(advised), 1).nodules
    patients = nodules.groupby(["split", "diagnosis"])["patient_id"].nunique()
    assert patients["train"].min() >= 5
    assert set(patients["test"].index) == set(patients["train"].index) == {"BTN", "NMTN", "MMTN"}
