"""What must be known, and what must not be in it, before a bundle is handed to others."""

import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from isthmus.errors import BundleError
from isthmus.models.bundle_files import AnyBundleSpec
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.models.skops_file import LARGEST_FILE

_UNSTATED: Final = ("", "none", "not stated", "unknown", "n/a", "?", "???")
_SECTIONS: Final = ("## Intended use", "## Limits")
_TEXTS: Final = (".yaml", ".md", ".json")
_SHORTEST_ID: Final = 4
"""Shorter ids cannot be told from the numbers and words of any text."""

# In words an absolute path is one of two steps or more; among a network's bytes only one that begins as paths do.
_PATH: Final = re.compile(r"(?<![\w.:/+<)`])(?:/[\w.+-]+){2,}|(?<!\w)[A-Za-z]:\\\w|\\\\\w+\\\w|~/\w|file://")
_ROOTS: Final = b"home|Users|root|mnt|media|srv|opt|tmp|var|usr|work|data|private|Volumes|workspace"
_PATH_IN_BYTES: Final = re.compile(rb"/(?:" + _ROOTS + rb")/[\w.+-]+/|[A-Za-z]:\\Users\\|/site-packages/")
_UID: Final = re.compile(r"(?<![\w.])[0-2](?:\.\d+){6,}(?!\.?\w)")
_CODED: Final = re.compile(r"[A-Za-z0-9+/=]{200,}")  # numbers of a fitted head, in base 64
_BLOCK: Final = 1024**2

_HEADS_WITH_ROWS: Final = {
    "knn": "its head keeps what the networks saw of every training case",
    "svm": "its head keeps what the networks saw of training cases (support vectors)",
}


def training_rows(spec: AnyBundleSpec, members: Collection[BundleSpec] = ()) -> list[str]:
    """Return, in words, where a bundle holds a row of numbers for single training pictures or cases.

    No picture can be drawn from such a row, but it is of one person: whoever has that picture can find out that it was
    among the training pictures.
    """
    found = []
    for one in [spec, *members]:
        if isinstance(one, FusedBundleSpec):
            found += [_HEADS_WITH_ROWS[one.classifier]] if one.classifier in _HEADS_WITH_ROWS else []
        elif one.out_of_distribution is not None and one.out_of_distribution.kind == "neighbours":
            found.append(f"{one.out_of_distribution.file} of {one.name} keeps the embedding of every training picture")
    return found


def refuse_untold(
    folder: Path, spec: AnyBundleSpec, members: Collection[BundleSpec], *, with_training_rows: bool
) -> None:
    """Refuse a bundle whose licences or limits are not stated, or that holds rows of real people unasked.

    Raises
    ------
    BundleError
        Naming everything that is missing, in one line.
    """
    lacking = []
    if spec.cohort.licence.strip().casefold() in _UNSTATED:
        lacking.append(f"the licence of the cohort {spec.cohort.name!r} is {spec.cohort.licence!r} (cohort.yaml)")
    networks = [one for one in [spec, *members] if isinstance(one, BundleSpec)]
    lacking += [
        f"the licence of {one.name}'s initial weights is {one.weights.licence!r}"
        for one in networks
        if one.weights.licence.strip().casefold() in _UNSTATED
    ]
    card = _card(folder)
    lacking += [f"card.md has nothing under {title!r}" for title in _SECTIONS if not _said_under(card, title)]
    if lacking:
        raise BundleError(
            f"licence and limits required: {'; '.join(lacking)}", where=str(folder), hint="state them, then pack again"
        )
    rows = training_rows(spec, members)
    if rows and not spec.cohort.simulated and not with_training_rows:
        raise BundleError(
            f"it holds rows of single patients: {'; '.join(rows)}",
            where=str(folder),
            hint="where the terms of the data allow handing these on, add --with-training-rows",
        )


def _card(folder: Path) -> str:
    path = folder / "card.md"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _said_under(card: str, title: str) -> bool:
    _, found, rest = card.partition(f"{title}\n")
    return bool(found) and bool(rest.partition("\n## ")[0].strip())


def refuse_leaks(folder: Path, names: Collection[str], ids: Collection[str] = ()) -> int:
    """Refuse a bundle in whose files a path of a machine, a DICOM UID or a patient's id stands.

    Parameters
    ----------
    folder : Path
        The bundle.
    names : collection of str
        Its files.
    ids : collection of str
        What is looked for, as whole words, in all texts.

    Returns
    -------
    int
        How many ids were too short to be looked for.

    Raises
    ------
    BundleError
        Naming file and line; an id itself is not shown.
    """
    wanted = sorted({one for one in ids if len(one) >= _SHORTEST_ID})
    known = re.compile(rf"(?<!\w)(?<!\w\.)(?:{'|'.join(map(re.escape, wanted))})(?!\.?\w)") if wanted else None
    for name in names:
        texts = _text_lines(folder / name) if name.endswith(_TEXTS) else ()
        for line, coded in enumerate(texts, start=1):
            text = _CODED.sub("", coded)
            for what, pattern in (("an absolute path", _PATH), ("a DICOM UID", _UID), ("a patient's id", known)):
                if pattern is not None and pattern.search(text):
                    raise BundleError(f"{what} stands in a file of this bundle", where=f"{name}, line {line}")
        if not name.endswith(_TEXTS) and _holds_path(folder / name):
            raise BundleError("the path of a folder on somebody's machine stands in this file", where=name)
    return len(set(ids)) - len(wanted)


def _text_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        yield from lines


def _holds_path(path: Path) -> bool:
    if path.suffix == ".skops":
        return _packed_holds_path(path)
    before = b""
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            if _PATH_IN_BYTES.search(before + block):
                return True
            before = block[-256:]
    return False


def _packed_holds_path(path: Path) -> bool:
    """Look into the file of a head's classifier, which is packed."""
    try:
        with zipfile.ZipFile(path) as opened:
            entries = opened.infolist()
            if sum(entry.file_size for entry in entries) > LARGEST_FILE:
                raise BundleError("this head unpacks to more than a head has", where=str(path))
            return any(_PATH_IN_BYTES.search(opened.read(entry)) for entry in entries)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"this head is damaged ({error})", where=str(path)) from error
