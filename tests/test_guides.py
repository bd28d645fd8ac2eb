"""The guides are true: every command in them runs, what they quote is printed, what they explain exists.

Their commands are typed as they stand, in reading order, each chain of pages in a folder of its own, in which the
reader has already what a page says that one has. Only sizes are smaller than on paper: `--profile small` is `smoke`,
and the demo is drawn as blobs.
"""

import ast
import inspect
import re
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from isthmus import cli
from isthmus.errors import IsthmusError
from isthmus.protocol.resolve import shipped_protocols
from isthmus.report import page as report_page
from isthmus.report.subjects import SUBJECTS
from tests.ddti_tree import write_ddti_tree
from tests.hospital_export import write_export
from tests.markdown_blocks import PAGES, ROOT, Reader, blocks_of
from tests.quick_demo import COMMAND, finished_demo, quick_demo

DOCS = ROOT / "docs"
CHAINS = {
    "first hour": ("first_hour.md", "reading_the_report.md", "choosing_a_protocol.md"),
    "own cohort": ("your_cohort.md", "your_network.md"),
}
WITHOUT_COMMANDS = ("troubleshooting.md", "glossary.md")


def call(*words: str) -> tuple[int, str]:
    """Run a command in this process; an error on purpose is given back as it is printed."""
    smaller = ["smoke" if word == "small" else word for word in words]
    result = CliRunner().invoke(cli.app, smaller)
    if isinstance(result.exception, IsthmusError):
        return 1, f"isthmus: {result.exception}\n"
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("chain", CHAINS)
def test_every_command_runs_and_prints_what_the_page_says(
    chain: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path / "cache"))
    desk = tmp_path / "desk"
    desk.mkdir()
    write_ddti_tree(desk / "ddti", 30, seed=0)
    write_export(desk / "export")
    write_export(desk / "other", seed=4)
    monkeypatch.chdir(desk)

    def typed(*words: str) -> tuple[int, str]:
        if words != COMMAND:
            return call(*words)
        made, printed = finished_demo(tmp_path_factory)  # the tests of the demo look at the same one
        shutil.copytree(made, desk / "demo")
        return 0, printed

    reader = Reader(typed)
    with quick_demo(tmp_path):
        for page in CHAINS[chain]:
            reader.follow(DOCS / page)


def test_every_guide_of_the_index_is_followed_or_has_no_command():
    index = (DOCS / "README.md").read_text(encoding="utf-8").partition("## Reference")[0]
    assert set(re.findall(r"\]\((\w+\.md)\)", index)) == {*chain_pages(), *WITHOUT_COMMANDS}
    assert not any(block.language == "sh" for page in WITHOUT_COMMANDS for block in blocks_of(DOCS / page))


def chain_pages() -> set[str]:
    return {page for pages in CHAINS.values() for page in pages}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path):
    words = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", words):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), target
        if anchor:
            assert anchor in anchors(other), target


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_of_documentation_stands_in_the_index():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_and_option_that_a_page_names_exists(page: Path):
    words = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(r"^\s*(isthmus .+)$|`(isthmus [^`]+)`", words, flags=re.MULTILINE):
        typed = next(filter(None, line)).partition("  #")[0].split()[1:]
        command, path = typer.main.get_command(cli.app), []
        while hasattr(command, "commands") and typed and typed[0] in command.commands:
            path.append(typed.pop(0))
            command = command.commands[path[-1]]
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        options = {word.strip("[]…,;.:").partition("=")[0] for word in typed if word.strip("[").startswith("--")}
        assert path or options or typed[:1] == ["…"], line
        assert options <= known | {"--help"}, (line, options - known)


def headings(page: str) -> set[str]:
    return set(re.findall(r"^### (.+)$", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_every_section_of_the_report_is_explained_and_none_that_it_lacks():
    names = re.findall(r'"([A-Z][^"]+[^".])"', inspect.getsource(report_page._sections))
    shown = {name.replace("{page['unit']}", "nodule") for name in names} | {subject.heading for subject in SUBJECTS}
    assert headings("reading_the_report.md") == shown


def test_every_shipped_protocol_has_its_rows():
    words = (DOCS / "choosing_a_protocol.md").read_text(encoding="utf-8")
    for name in shipped_protocols():
        assert words.count(f"| `{name}` |") >= 2, name


def test_every_message_that_is_explained_is_still_in_the_code():
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^- `([^`]+)`\\\n  \*", page, flags=re.MULTILINE)
    files = [words_of(path) for path in (ROOT / "src").rglob("*.py")]
    for message in quoted:
        parts = [part.strip() for part in message.split("…") if part.strip()]
        assert any(all(part in words for part in parts) for words in files), f"no file says {message!r}"
    assert len(quoted) > 40


def words_of(path: Path) -> str:
    """Return all texts of a Python file, each in a line of its own."""
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return "\n".join(node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_two_commands_of_a_block_make_the_same_folder(page: Path):
    # The second would be refused: nothing is overwritten.
    for block in blocks_of(page):
        own = [line for line in block.commands() if "--resume" not in line and "--plan" not in line]
        made = [found[1] for line in own if (found := re.search(r"--out (\S+)", line))]
        twice = {folder for folder in made if made.count(folder) > 1}
        assert block.language != "sh" or not twice, (block.place, twice)
