"""Initial weights: which files are known, where they lie, how they get there, and how they enter a network.

Importing this module imports no torch. Nothing is downloaded unless ``isthmus weights fetch`` is asked for by name;
absent weights are an error, never a silent start from random ones.
"""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.errors import IsthmusError, WeightsError
from isthmus.files import atomic_path, read_json, sha256_of_file, write_json
from isthmus.models.official_weights import LARGEST, OFFICIAL, cache_folder, fetch, official
from isthmus.models.registry import cards

if TYPE_CHECKING:
    from torch import Tensor

    from isthmus.models.classifier import Classifier

__all__ = ["Provenance", "WeightsEntry", "fetch", "import_weights", "list_weights", "load_initial_weights", "locate"]

SUFFIXES = (".pth", ".pt", ".safetensors")


@dataclass(frozen=True)
class WeightsEntry:
    """One line of ``isthmus weights list``: an official file, present or not, or an imported one."""

    name: str
    network: str
    present: bool
    file: str
    origin: str
    licence: str
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Provenance:
    """Where a network's initial weights came from, for the bundle and the report.

    Parameters
    ----------
    name, origin, licence, sha256 : str
        Of the file.
    notes : tuple of str
        What was changed while loading: a replaced head, a stem of other channels.
    """

    name: str
    origin: str
    licence: str
    sha256: str
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "notes": list(self.notes)}


def list_weights(cache: Path | None = None) -> list[WeightsEntry]:
    """Return the official files, present or absent, and those that were imported under a name of their own."""
    folder = cache_folder(cache)
    entries = [
        WeightsEntry(
            name=known.name,
            network=known.network,
            present=(folder / known.file).is_file(),
            file=known.file,
            origin=known.origin,
            licence=known.licence,
            sha256=known.sha256_prefix + "…",
        )
        for known in OFFICIAL.values()
    ]
    return entries + [_imported(path) for path in sorted(folder.glob("*.weights.json"))]


def _imported(record: Path) -> WeightsEntry:
    facts = read_json(record, name="weights")
    try:
        return WeightsEntry(
            name=str(facts["name"]),
            network="any that its names fit",
            present=(record.parent / facts["file"]).is_file(),
            file=Path(str(facts["file"])).name,
            origin=str(facts["origin"]),
            licence=str(facts["licence"]),
            sha256=str(facts["sha256"]),
        )
    except KeyError as error:
        raise WeightsError(f"the record lacks {error}", where=str(record), hint="import the file again") from error


def import_weights(
    path: Path, *, name: str | None = None, licence: str | None = None, cache: Path | None = None
) -> str:
    """Copy a weight file into the cache and return the name that a protocol uses for it.

    Parameters
    ----------
    path : Path
        ``.pth`` or ``.safetensors``. An official file is recognised by its hash, whatever it is called.
    name : str, optional
        For a file of the user's own; by default the file's name without its suffix.
    licence : str, optional
        Of a file of the user's own; the report repeats it.
    cache : Path, optional
        See :func:`cache_folder`.

    Raises
    ------
    WeightsError
        When the file is absent, too large or of another kind, when an official name is asked for and the hash is
        another, or when the name is taken by another file.
    """
    path = Path(path)
    _check_file(path)
    folder, digest = cache_folder(cache), sha256_of_file(path)
    for known in OFFICIAL.values():
        if digest.startswith(known.sha256_prefix):
            _copy(path, folder / known.file)
            return known.name
    own = name or path.stem
    if own in OFFICIAL:
        raise WeightsError(
            f"this is not the official file of {own}: its SHA-256 begins with {digest[:8]}",
            where=str(path),
            expected=OFFICIAL[own].sha256_prefix,
            hint="give it a --name of its own",
        )
    if not own.replace("_", "").replace("-", "").replace(".", "").isalnum() or own == "imagenet" or own[0] == ".":
        raise WeightsError(f"{own!r} is no name for weights", expected="letters, digits, '.', '-', '_'")
    record = folder / f"{own}.weights.json"
    if record.is_file() and _imported(record).sha256 != digest:
        raise WeightsError(f"the name {own!r} is taken by another file", where=str(record), hint="give another --name")
    file = f"{own}{path.suffix}"
    _copy(path, folder / file)
    write_json(
        record,
        {
            "format": "isthmus-weights/1.0",
            "name": own,
            "file": file,
            "origin": f"file of the user's own: {path.name}",
            "licence": licence or "not stated",
            "sha256": digest,
        },
    )
    return own


def locate(
    name_or_path: str | Path, *, network: str | None = None, cache: Path | None = None
) -> tuple[Path, Provenance]:
    """Find a weight file without reading it into a network: what a run calls before any training.

    Parameters
    ----------
    name_or_path : str or Path
        An official name, ``'imagenet'`` (the official file of ``network``), an imported name, or a file.
    network : str, optional
        Name of the registry, so that weights of another network are refused.
    cache : Path, optional
        See :func:`cache_folder`.

    Returns
    -------
    tuple of Path and Provenance
        The file and where it comes from, with its full SHA-256.

    Raises
    ------
    WeightsError
        When the file is absent or not the expected one; the message names the command that helps.
    """
    text = str(name_or_path)
    if Path(text).suffix in SUFFIXES:
        path = Path(text)
        _check_file(path)
        digest = sha256_of_file(path)
        for known in OFFICIAL.values():
            if digest.startswith(known.sha256_prefix):
                return path, Provenance(known.name, known.origin, known.licence, digest)
        return path, Provenance(path.stem, f"file of the user's own: {path.name}", "not stated", digest)
    if text == "imagenet":
        text = _imagenet(network)
    folder = cache_folder(cache)
    record = folder / f"{text}.weights.json"
    if text not in OFFICIAL and record.is_file():
        entry = _imported(record)
        digest = _checked_hash(folder / entry.file, entry.sha256, f"isthmus weights import {entry.file}")
        return folder / entry.file, Provenance(entry.name, entry.origin, entry.licence, digest)
    known = official(text)
    if network is not None and known.network not in (network, _twin(network)):
        raise WeightsError(f"{text} are weights of {known.network}", expected=f"weights of {network}")
    digest = _checked_hash(
        folder / known.file,
        known.sha256_prefix,
        f"`isthmus weights fetch {text}`, or without internet `isthmus weights import {known.file}`",
    )
    return folder / known.file, Provenance(text, known.origin, known.licence, digest)


def load_initial_weights(classifier: "Classifier", name_or_path: str | Path, cache: Path | None = None) -> Provenance:
    """Load published or own weights into a network, strictly.

    Every parameter must be there with its shape, with stated exceptions: the last linear layer keeps its random
    start when the file has another number of classes, and a stem of another number of channels than the file's three
    (or one) takes the file's stem summed over its channels, divided by their number: each channel gets their mean,
    scaled so that equal channels, such as frames in which nothing changes, are answered as the file's network answers
    that grey picture repeated three times. Into a network of clips the weights of
    its twin of pictures are inflated (:mod:`isthmus.models.inflation`).

    Parameters
    ----------
    classifier : Classifier
        Changed in place.
    name_or_path : str or Path
        As in :func:`locate`.
    cache : Path, optional
        See :func:`cache_folder`.

    Returns
    -------
    Provenance
        With a note for each exception that was used.

    Raises
    ------
    WeightsError
        When the file is absent, is not the expected one, or does not fit.
    """
    from isthmus.models.state import fit_state, read_state

    path, provenance = locate(name_or_path, network=classifier.network, cache=cache)
    state: dict[str, Tensor] = read_state(path)
    fitted, notes = fit_state(classifier, state, where=path.name)
    classifier.load_state_dict(fitted, strict=True)
    return Provenance(provenance.name, provenance.origin, provenance.licence, provenance.sha256, tuple(notes))


def _twin(network: str) -> str | None:
    card = cards().get(network)
    return card.twin if card else None


def _imagenet(network: str | None) -> str:
    card = cards().get(network or "")
    names = [name for name in (card.weights if card else ()) if name in OFFICIAL and name.endswith("_imagenet")]
    if not names:
        raise WeightsError(
            f"there are no published ImageNet weights for {network or 'an unnamed network'}",
            expected=", ".join(known.network for known in OFFICIAL.values()),
            hint="leave `weights` out to start from random ones, or name a file",
        )
    return names[0]


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise WeightsError("no such weight file", where=str(path), hint="see `isthmus weights list`")
    if path.suffix not in SUFFIXES:
        raise WeightsError(f"{path.suffix!r} is no weight file", where=str(path), expected=", ".join(SUFFIXES))
    if path.stat().st_size > LARGEST:
        raise WeightsError(f"the file has {path.stat().st_size} bytes", where=str(path), expected=f"under {LARGEST}")


def _checked_hash(path: Path, expected: str, command: str) -> str:
    if not path.is_file():
        raise WeightsError("these initial weights are not on this machine", where=path.name, hint=command)
    digest = sha256_of_file(path)
    if not digest.startswith(expected):
        raise WeightsError(
            f"this file was altered: its SHA-256 begins with {digest[:8]}",
            where=str(path),
            expected=expected[:8],
            hint=f"remove it, then {command}",
        )
    return digest


def _copy(source: Path, target: Path) -> None:
    if target.is_file() and target.resolve() == source.resolve():
        return
    try:
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    except IsthmusError:
        raise
    except OSError as error:
        raise WeightsError(f"the file could not be copied: {error.strerror}", where=str(source)) from error
