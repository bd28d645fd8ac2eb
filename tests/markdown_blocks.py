"""Code blocks of Markdown pages, and what the guides ask a reader to do with them.

A block of `sh` is commands, of `text` what they print, and a block with a file's name behind its language is that
file. `<!-- exit code 1 -->` above a block of commands says that the last of them ends so on purpose.
"""

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
_FENCE = re.compile(r"^```(\w*) ?(\S*)$")
_EXIT_CODE = re.compile(r"^<!-- exit code (\d+) -->$")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Parameters
    ----------
    place : str
        File and line, as an editor opens it.
    language, path : str
        What stands behind the fence: `sh`, `text`, `python`, `yaml` …, and the name of the file that it is.
    text : str
        What stands in it.
    exit_code : int
        What its last command ends with.
    """

    place: str
    language: str
    path: str
    text: str
    exit_code: int

    def commands(self) -> list[str]:
        """Return its commands, continued lines joined, without remarks."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.partition("  #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start: int | None = None
    opened, exit_code = ("", ""), 0
    for number, line in enumerate(lines, 1):
        if start is not None:
            if line == "```":
                text = "\n".join(lines[start : number - 1]) + "\n"
                yield Block(f"{page.relative_to(ROOT)}:{start}", *opened, text, exit_code)
                start, exit_code = None, 0
        elif found := _FENCE.match(line):
            start, opened = number, (found[1], found[2])
        elif said := _EXIT_CODE.match(line):
            exit_code = int(said[1])
    assert start is None, f"{page.name}: the block of line {start} does not end"


class Reader:
    """Somebody who does what the pages say, in one folder, from the first block to the last.

    Parameters
    ----------
    call : callable
        Runs an `isthmus` command in this process, in the current folder; gives back its exit code and its words.
    """

    def __init__(self, call: Callable[..., tuple[int, str]]) -> None:
        self._call = call
        self._printed: str | None = None

    def follow(self, page: Path) -> None:
        """Do what the blocks of a page say; a failed check names the block."""
        self._printed = None
        for block in blocks_of(page):
            if block.path:
                Path(block.path).parent.mkdir(parents=True, exist_ok=True)
                Path(block.path).write_text(block.text, encoding="utf-8")
            elif block.language == "sh":
                self._type(block)
            elif block.language == "text":
                self._compare(block)
            elif block.language == "python":
                exec(compile(block.text, block.place, "exec"), {})
            else:
                raise AssertionError(f"{block.place}: nobody knows what to do with a block of {block.language!r}")

    def _type(self, block: Block) -> None:
        said = []
        *others, last = block.commands()
        for command, expected in [*((one, 0) for one in others), (last, block.exit_code)]:
            program, *words = shlex.split(command)
            assert program in ("isthmus", "make"), f"{block.place}: {command}"
            if program == "make":
                # What it would do, from the first line to the last; the tests run in what it made.
                done = subprocess.run(["make", "-n", "-B", *words], cwd=ROOT, capture_output=True, text=True)
                code, printed = done.returncode, done.stdout + done.stderr
            else:
                code, printed = self._call(*words)
            assert code == expected, f"{block.place}: {command}\n{printed}"
            said.append(printed)
        self._printed = "".join(said)

    def _compare(self, block: Block) -> None:
        """Check each line of what a page says is printed; `…` stands for anything."""
        if self._printed is None:
            return
        lines = {" ".join(line.split()) for line in self._printed.splitlines()}
        for line in block.text.splitlines():
            pattern = ".*".join(re.escape(part) for part in " ".join(line.split()).split("…"))
            found = any(re.fullmatch(pattern, printed) for printed in lines)
            assert found, f"{block.place}: {line!r} is not printed, but\n{self._printed}"
