"""Deidentify: an export's pictures as DICOM files that name nobody, for a research partner."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.app import JsonOption, app, progress_bars, show

if TYPE_CHECKING:
    from isthmus.clinic.deidentification import Deidentified

_SHOWN = 5


@app.command(epilog="Research use only; not a medical device. More: docs/deidentification.md.")
def deidentify(
    source: Annotated[Path, typer.Argument(help="Folder with DICOM files, in folders of any depth.")],
    destination: Annotated[Path, typer.Argument(help="Folder to make.")],
    key: Annotated[Path, typer.Option(help="Key file of pseudonyms, outside DEST: made, or used again.")],
    as_json: JsonOption = False,
) -> None:
    """Write ultrasound pictures and clips as DICOM files that name nobody: new header, masked pixels, new UIDs.

    Headers are made anew of what describes the picture (PS3.15 Annex E, Basic Profile); dates are removed. Outside the
    scan area pixels are black, and inside it what looks like words. A file whose text cannot be told from its picture
    is left out. DEST/deidentification_report.csv says for every file what was removed, kept and masked, by number; the
    paths stand beside the key file.

    Look at the pictures before you share them: the report counts the marks left in each.

    Example: `isthmus deidentify export shared --key ../study.key.json`
    """
    from isthmus.clinic.deidentification import deidentify as run

    with progress_bars(as_json) as progress:
        move = None if progress is None else lambda done, total, what: progress(what, done, total)
        done = run(source, destination, key=key, progress=move)
    facts = {"files": done.counts(), "with_marks_left": done.uncertain, "folder": str(destination)}
    show(facts, as_json, _lines(done, destination))


def _lines(done: "Deidentified", destination: Path) -> list[str]:
    lines = ["files: " + ", ".join(f"{count} {status}" for status, count in done.counts().items())]
    left = [fate for fate in done.fates if not fate.object]
    lines += [f"  {fate.file}: {fate.status}: {fate.detail}" for fate in left[:_SHOWN]]
    lines += [f"  and {len(left) - _SHOWN} more in the report"] if len(left) > _SHOWN else []
    if done.uncertain:
        lines.append(f"{done.uncertain} written files hold marks that could be letters: look at them")
    return [*lines, f"Every file: {destination / 'deidentification_report.csv'}"]
