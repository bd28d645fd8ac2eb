"""The commands as a user meets them: help that teaches, JSON beside words, one clear line for every bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from isthmus import cli
from isthmus.cohort.sources import import_data_set
from isthmus.errors import IsthmusError
from isthmus.manifest import version
from tests.ddti_tree import write_ddti_tree
from tests.unrendered import unrendered

COMMANDS = (
    ["cohort", "import"], ["cohort", "check"], ["run"], ["evaluate"], ["predict"], ["protocols"], ["models"],
    ["weights", "list"], ["weights", "fetch"], ["weights", "import"], ["doctor"], ["demo"], ["rate", "form"],
    ["rate", "analyse"], ["cohort", "perfusion"],
)  # fmt: skip


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cohorts")
    write_ddti_tree(folder / "tree", 24, seed=0)
    import_data_set("ddti", folder / "tree", folder / "cohort")
    return folder / "cohort"


def call(*arguments: object) -> tuple[int, str]:
    """Run a command in this process; an error on purpose is given back as it is printed."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if isinstance(result.exception, IsthmusError):
        return 1, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def refusal(*arguments: object) -> str:
    code, words = call(*arguments)
    assert code == 1
    assert "\n" not in words.strip() or "line" in words
    return words


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_and_speaks_json(command):
    code, words = call(*command, "--help")
    assert code == 0
    assert "--json" in words
    assert len(words.split()) > 25


def test_an_error_is_one_line_without_a_traceback_and_exit_code_1(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "isthmus.cli", "evaluate", str(tmp_path / "none.csv"), "--out", str(tmp_path / "o")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("isthmus: ")
    assert done.stderr.count("\n") == 1


def test_an_error_with_json_is_json(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "isthmus.cli", "run", "wang2024", "--cohort", "x", "--out", "y", "--json"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert json.loads(done.stdout)["kind"] == "ProtocolError"


# As where torch was never installed: not found, and no module of that name, not even an empty one.
WITHOUT_TORCH = """
import json, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTorch())
import isthmus.cli as c
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["isthmus", *arguments]
    try:
        c.main()
    except SystemExit as end:
        if end.code:
            raise
"""


def without_torch(*commands: tuple[object, ...]) -> subprocess.CompletedProcess[str]:
    """Run commands, one after another, where torch cannot be imported, as after a plain `pip install isthmus`."""
    typed = json.dumps([[str(word) for word in command] for command in commands])
    return subprocess.run([sys.executable, "-c", WITHOUT_TORCH, typed], capture_output=True, text=True)


def test_without_torch_a_run_is_refused_with_the_extra_to_install(cohort, tmp_path):
    done = without_torch(("run", "wang2025", "--cohort", cohort, "--out", tmp_path / "r"))
    assert done.returncode == 1
    assert done.stderr == "isthmus: this command needs torch. Next: pip install 'isthmus[train]'\n"


def test_without_torch_scores_are_evaluated_and_a_cohort_is_checked(cohort, tmp_path):
    rows = [f"a,test,{index},{index % 2},{index % 5 + index % 2}" for index in range(40)]
    (tmp_path / "p.csv").write_text("\n".join(["arm,split,unit_id,label,score", *rows]), encoding="utf-8")
    done = without_torch(
        ("evaluate", tmp_path / "p.csv", "--out", tmp_path / "o"),
        ("cohort", "check", cohort, "--out", tmp_path / "c"),
        ("models",),
        ("protocols",),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o" / "report.html").is_file()
    assert (tmp_path / "c" / "check.html").is_file()
    assert "thyronet_x4" in done.stdout
    assert "wang2025" in done.stdout


def test_wrong_usage_is_exit_code_2():
    assert call("run")[0] == 2
    assert call("nothing")[0] == 2


def test_models_and_protocols_are_listed_in_words_and_as_json():
    assert "thyronet_x4" in call("models")[1]
    assert json.loads(call("models", "resnet34", "--json")[1])["name"] == "resnet34"
    assert "wang2025" in call("protocols")[1]
    assert json.loads(call("protocols", "wang2025", "--profile", "small", "--json")[1])["profile"] == "small"


def test_the_doctor_finds_this_python():
    findings = json.loads(call("doctor", "--json")[1])["findings"]
    assert findings[0]["subject"] == "Python"
    assert {finding["state"] for finding in findings} <= {"ok", "absent", "problem"}


def test_a_cohort_is_checked_with_a_page(cohort, tmp_path):
    code, words = call("cohort", "check", cohort, "--out", tmp_path)
    assert code == 0
    assert "0 errors" in words
    assert (tmp_path / "check.html").is_file()


def test_the_version_is_told_by_the_command_and_by_the_module():
    code, words = call("--version")
    assert (code, words.strip()) == (0, f"isthmus {version()}")
    told = subprocess.run([sys.executable, "-m", "isthmus", "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == words


def test_a_plan_costs_nothing(cohort, tmp_path):
    code, words = call("run", "wang2025", "--cohort", cohort, "--out", tmp_path / "r", "--profile", "smoke", "--plan")
    assert code == 0
    assert "4 fits" in words
    assert not (tmp_path / "r").exists()


def test_any_table_of_scores_is_evaluated(tmp_path):
    table = pd.DataFrame(
        {
            "arm": ["a"] * 40 + ["b"] * 40,
            "split": "test",
            "unit_id": [f"{index:03d}" for index in range(40)] * 2,
            "label": ([0, 1] * 20) * 2,
            "score": [index % 7 + 3 * (index % 2) for index in range(80)],
        }
    )
    table.to_csv(tmp_path / "p.csv", index=False)
    code, words = call("evaluate", tmp_path / "p.csv", "--out", tmp_path / "out", "--reference", "a")
    assert code == 0
    assert "b minus a" in words
    assert (tmp_path / "out" / "report.html").is_file()


class TestBadInput:
    def test_an_empty_folder_is_no_data_set(self, tmp_path):
        (tmp_path / "empty").mkdir()
        assert "empty" in refusal("cohort", "import", "ddti", tmp_path / "empty", tmp_path / "c")
        assert not (tmp_path / "c").exists()

    def test_an_unknown_data_set_is_answered_with_the_known_ones(self, tmp_path):
        assert "ddti" in refusal("cohort", "import", "dtti", tmp_path, tmp_path / "c")

    def test_an_empty_folder_is_no_cohort(self, tmp_path):
        assert "cohort.yaml" in refusal("run", "wang2025", "--cohort", tmp_path, "--out", tmp_path / "r")

    def test_a_missing_column_is_named(self, tmp_path):
        (tmp_path / "p.csv").write_text("arm,split,unit_id,score\na,test,1,0.5\n", encoding="utf-8")
        assert "label" in refusal("evaluate", tmp_path / "p.csv", "--out", tmp_path / "o")

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"arm;split;unit_id;label;score\na;test;1;0;0,5\n", "semicolon"),
            (b"arm\tsplit\tunit_id\tlabel\tscore\na\ttest\t1\t0\t0.5\n", "tab"),
            ("arm,split,unit_id,label,score\na,test,1,0,0.5\n".encode("utf-16"), "UTF-16"),
            ("arm,split,unit_id,label,score\n恶性,test,1,0,0.5\n".encode("gb18030"), "UTF-8"),
        ],
    )
    def test_another_delimiter_or_encoding_is_said(self, tmp_path, content, words):
        (tmp_path / "p.csv").write_bytes(content)
        assert words in refusal("evaluate", tmp_path / "p.csv", "--out", tmp_path / "o")

    def test_a_label_outside_the_classes_is_shown_with_its_line(self, cohort, tmp_path):
        copied = copy_of(cohort, tmp_path)
        nodules = pd.read_csv(copied / "nodules.csv", dtype=str)
        nodules.loc[3, "tirads_4a_or_higher"] = "perhaps"
        nodules.to_csv(copied / "nodules.csv", index=False)
        words = refusal("run", "wang2025", "--cohort", copied, "--out", tmp_path / "r")
        assert "perhaps" in words
        assert "line 5" in words

    def test_a_fold_without_a_class_is_refused_with_counts_and_a_remedy(self, cohort, tmp_path):
        copied = copy_of(cohort, tmp_path)
        nodules = pd.read_csv(copied / "nodules.csv", dtype=str)
        negative = nodules.index[nodules["tirads_4a_or_higher"] == "0"]
        nodules.loc[negative[2:], ["tirads", "tirads_4a_or_higher", "reference"]] = ""
        nodules.to_csv(copied / "nodules.csv", index=False)
        words = refusal("run", "wang2025", "--cohort", copied, "--out", tmp_path / "r")
        assert "2 groups" in words
        assert "Next:" in words

    def test_an_unknown_protocol_key_is_answered_with_the_nearest(self, cohort, tmp_path):
        words = refusal(
            "run", "wang2025", "--cohort", cohort, "--out", tmp_path / "r", "--set", "defaults.train.epoch=1"
        )
        assert "did you mean 'epochs'?" in words

    def test_a_destination_that_cannot_be_written_is_said(self, cohort, tmp_path):
        (tmp_path / "file").write_text("", encoding="utf-8")
        words = refusal("run", "wang2025", "--cohort", cohort, "--out", tmp_path / "file" / "r", "--profile", "smoke")
        assert "not a folder" in words

    def test_a_full_disk_is_said_and_leaves_nothing_half_written(self, cohort, tmp_path, monkeypatch):
        import errno
        import os

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        words = refusal("run", "wang2025", "--cohort", cohort, "--out", tmp_path / "r", "--profile", "smoke")
        assert "the disk is full" in words
        assert "Next: free some space" in words
        assert not [path for path in (tmp_path / "r").rglob("*") if path.is_file() and path.name != ".lock"]

    def test_a_truncated_picture_is_listed_and_the_run_goes_on_without_it(self, cohort, tmp_path, monkeypatch):
        monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path / "cache"))
        copied = copy_of(cohort, tmp_path)
        from isthmus.cohort.cohort import load_cohort

        broken = load_cohort(copied).examples("tirads_4a_or_higher")["path"].iloc[0]
        broken.write_bytes(broken.read_bytes()[:2000])
        settings = [
            "defaults.train.epochs=1",
            "defaults.options.width=8",
            "arms.thyronet_x4.options.groups=4",
            "explain.arms=[]",
        ]
        flags = [part for setting in settings for part in ("--set", setting)]
        with unrendered():  # the figures of two arms without a test set, as the guides' runs have them
            code, words = call(
                "run", "wang2025", "--cohort", copied, "--out", tmp_path / "r", "--profile", "smoke", *flags
            )
        assert code == 0
        assert broken.stem in words
        assert broken.stem in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
        assert call("cohort", "check", copied)[0] == 1


def copy_of(cohort: Path, folder: Path) -> Path:
    import shutil

    shutil.copytree(cohort, folder / "cohort")
    return folder / "cohort"
