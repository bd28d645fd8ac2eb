"""`isthmus cohort simulate` as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from isthmus import cli
from isthmus.errors import IsthmusError
from isthmus.phantom import cohort as module
from isthmus.phantom.preset import presets
from isthmus.phantom.simulation import Simulation


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["cohort", "simulate", *map(str, arguments)])
    if isinstance(result.exception, IsthmusError):
        return 1, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_help_names_every_preset_and_a_command_that_works():
    code, words = call("--help")
    assert code == 0
    assert all(name in words for name in presets())
    assert "--nodules" in words
    assert "truth" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("stils", "--nodules", 30), "did you mean 'stills'?"),
        (("stills", "--nodules", 0), "--nodules 0; expected at least 1"),
        (("stills", "--nodules", 30, "--workers", 0), "--workers 0"),
        (("stills", "--nodules", 2), "is enough with this seed"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(tmp_path, arguments, words):
    preset, *others = arguments
    code, said = call(preset, tmp_path / "cohort", *others)
    assert code == 1
    assert words in said
    assert "\n" not in said.strip()
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_refused(tmp_path):
    (tmp_path / "mine").touch()
    code, said = call("stills", tmp_path, "--nodules", 30)
    assert code == 1
    assert "nothing is overwritten" in said


def test_the_end_is_words_or_one_json_object(monkeypatch, tmp_path):
    manifest = {
        "preset": "stills", "seed": 0, "counts": {"patients": 25, "nodules": 30, "views": 60},
        "observers": {
            "latents": {"auc": 0.91, "standard_error": 0.001}, "bmode": {"auc": 0.8, "standard_error": 0.001},
        },
    }  # fmt: skip
    units = [
        {"site": "a", "part": "train", "class": "benign", "count": 14},
        {"site": "a", "part": "train", "class": "malignant", "count": 10},
        {"site": "b", "part": "external", "class": "malignant", "count": 6},
    ]
    made = Simulation(tmp_path / "x", manifest, units, {"pictures": 12.3})
    monkeypatch.setattr(module, "simulate", lambda *_, **__: made)
    code, said = call("stills", tmp_path / "x", "--nodules", 30)
    assert code == 0
    assert said.splitlines() == [
        "SIMULATED stills: 25 patients, 30 nodules, 60 views in 12 s",
        "  a, train: 14 benign, 10 malignant",
        "  b, external: 0 benign, 6 malignant",
        "AUC of the ideal observers of what each shows (± standard error); nothing does better:",
        "  latents: 0.9100 ± 0.0010",
        "  bmode: 0.8000 ± 0.0010",
        f"Cohort: {tmp_path / 'x'}",
        f"Next: isthmus cohort check {tmp_path / 'x'}",
    ]
    code, said = call("stills", tmp_path / "x", "--nodules", 30, "--json")
    facts = json.loads(said)
    assert facts["views"] == 60
    assert facts["observers"]["bmode"]["auc"] == 0.8


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_the_keyboard_stops_it_in_one_line_and_nothing_runs_on(tmp_path):
    arguments = ["cohort", "simulate", "stills", str(tmp_path / "cohort"), "--nodules", "500", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "isthmus.cli", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # Tests that a shell runs in the background inherit that the keyboard is ignored; a user's command does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    pictures = tmp_path / "cohort.partial" / "pictures"
    for _ in range(3000):
        if pictures.is_dir():
            break
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # the terminal sends it to the whole group
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert said.strip() == "isthmus: stopped by you; the same command goes on from here"
    for _ in range(500):
        if not alive(process.pid):
            break
        time.sleep(0.02)
    assert not alive(process.pid)
    assert (tmp_path / "cohort.partial" / "plan.json").is_file()
