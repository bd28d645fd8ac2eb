"""The demo in seconds: blobs instead of a simulation of minutes, and its shipped protocol in its smoke profile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from isthmus import cli
from isthmus.protocol import demo as stages
from isthmus.protocol.resolve import resolve_protocol
from tests.made_once import made_once
from tests.simulated_cohort import write_simulated_cohort

COMMAND = ("demo", "--out", "demo")


@contextmanager
def quick_demo(folder: Path, patients: int = 48) -> Iterator[list[tuple[str, int, int]]]:
    """Let the demo draw blobs of so many patients; give the list of what it asks a simulation for."""
    protocol = folder / "demo.yaml"
    # The blobs are B-mode only.
    settings = [f"arms.{arm}.view.modality=bmode" for arm in ("elastography", "microvascular")]
    content = resolve_protocol("demo", "smoke", ["defaults.options.width=4", *settings]).model_dump(mode="json")
    protocol.write_text(yaml.safe_dump({**content, "profile": "paper"}), encoding="utf-8")
    drawn: list[tuple[str, int, int]] = []

    def simulate(preset, destination, nodules, seed, progress=None):
        drawn.append((preset, nodules, seed))
        write_simulated_cohort(destination, patients, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "simulate", simulate)
        patch.setattr(stages, "PROTOCOL", str(protocol))
        yield drawn


def finished_demo(factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return what the guides' command leaves, a folder of the caller's own, and what it prints."""
    cache = factory.mktemp("cache")

    def make(folder: Path) -> str:
        with quick_demo(cache), pytest.MonkeyPatch.context() as patch:
            patch.setenv("ISTHMUS_CACHE", str(cache))
            patch.chdir(folder)
            done = CliRunner().invoke(cli.app, COMMAND, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    folder, printed = made_once(factory, "demo", make)
    return folder / "demo", printed
