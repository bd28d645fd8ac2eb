"""`isthmus serve` as a user meets it."""

import json
from pathlib import Path

from typer.testing import CliRunner

from isthmus import cli
from isthmus.clinic.inbox import Inbox
from isthmus.clinic.node_settings import Limits
from isthmus.errors import IsthmusError


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["serve", *map(str, arguments)])
    if isinstance(result.exception, IsthmusError):
        return 1, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def example(tmp_path: Path) -> Path:
    code, words = call("--example-node")
    assert code == 0
    (tmp_path / "node.yaml").write_text(words)
    return tmp_path / "node.yaml"


def test_the_example_can_be_used_as_it_is_printed_and_its_status_asked(tmp_path: Path):
    path = example(tmp_path)
    code, words = call("--status", path)
    assert (code, "no node has worked here yet" in words) == (1, True)
    inbox = Inbox(tmp_path / "spool", Limits())
    code, words = call("--status", path)
    assert code == 0
    assert words.startswith("not running\nstudies: none\n")
    with inbox.journal.changing() as connection:
        connection.execute("INSERT INTO studies (key, changed_at, state, attempts, fault) VALUES "
                           "('k', 0, 'parked', 8, 'it took too long')")  # fmt: skip
    code, words = call("--status", path, "--json")
    assert code == 1
    assert json.loads(words)["parked"] == [{"what": "assessment", "study": 1, "attempts": 8, "why": "it took too long"}]
    assert "parked: study 1, assessment: it took too long (8 attempts)" in call("--status", path)[1]
    assert call("--retry-parked", path) == (0, "1 put back into the queue\n")
    assert call("--status", path)[0] == 0
    inbox.journal.close()


def test_without_a_bundle_or_a_file_it_says_what_to_type(tmp_path: Path):
    for arguments in ((), ("--dicom", example(tmp_path)), (tmp_path,)):
        code, words = call(*arguments)
        assert code == 2
        assert "--example-node" in words


def test_a_wrong_file_and_a_bundle_that_is_none_are_one_line(tmp_path: Path):
    path = example(tmp_path)
    code, words = call(tmp_path, "--dicom", tmp_path / "absent.yaml")
    assert (code, "no such file" in words) == (1, True)
    path.write_text(path.read_text().replace("port: 11112", "port: high"))
    code, words = call(tmp_path, "--dicom", path)
    assert (code, "listen.port is 'high'" in words) == (1, True)
