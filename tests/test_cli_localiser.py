"""The localiser commands as a user meets them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus import cli
from isthmus.errors import IsthmusError
from tests.inference.discs import write_disc_cohort

SMALL = ("--network", "unet", "--width", "16", "--size", "64", "--folds", "2", "--epochs", "1", "--batch", "4")


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if isinstance(result.exception, IsthmusError):
        return 1, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["train", "propose"])
def test_the_commands_explain_themselves_and_speak_json(command: str) -> None:
    code, words = call("localiser", command, "--help")
    assert code == 0
    assert "--json" in words
    assert len(words.split()) > 60


def test_train_then_propose(tmp_path: Path) -> None:
    cohort = write_disc_cohort(tmp_path / "discs", 6, without_region=(5,))
    code, words = call("localiser", "train", "--cohort", cohort, "--out", tmp_path / "localiser", *SMALL)
    assert code == 0
    assert "10 views of 5 patients" in words
    assert "hit rate of one fixed box" in words
    assert "Research use only" in words
    code, words = call("localiser", "propose", tmp_path / "localiser", cohort, tmp_path / "new", "--json")
    assert code == 0
    facts = json.loads(words)
    assert facts["views"]["kept"] == 10
    assert sum(facts["views"].values()) == 12
    code, words = call("localiser", "train", "--cohort", cohort, "--out", tmp_path / "localiser", *SMALL)
    assert code == 1
    assert "nothing is overwritten" in words


def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    cohort = write_disc_cohort(tmp_path / "discs", 4)
    code, words = call("localiser", "train", "--cohort", cohort, "--out", tmp_path / "l", "--size", "100")
    assert code == 1
    assert words == "--size: size 100: expected a multiple of 32, for example 96"
