"""A bundle in one file: a zip with a manifest of hashes, written so that the same bundle gives the same bytes.

Nothing in it is packed (weights do not shrink), so no entry can unpack to more than it is. It is read as something that
a stranger sent: names, kinds, sizes and hashes are checked before a file appears, and nothing is executed.
"""

import hashlib
import json
import stat
import unicodedata
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from isthmus.errors import BundleError, InputError, OutputError
from isthmus.files import atomic_path, check_format, new_folder, refuse_existing, sha256_of_json
from isthmus.manifest import DISCLAIMER, version
from isthmus.models.bundle_facts import facts_of_bundle
from isthmus.models.bundle_files import hashes_of, read_any_bundle
from isthmus.models.bundle_terms import refuse_leaks, refuse_untold
from isthmus.models.official_weights import LARGEST

FORMAT: Final = "isthmus-archive/1.0"
MANIFEST: Final = "MANIFEST.json"
LARGEST_ARCHIVE: Final = 8 * 1024**3
_MOST_FILES, _LONGEST_NAME, _LARGEST_MANIFEST = 10_000, 300, 16 * 1024**2
_FIRST_DAY: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_UNIX, _PLAIN_FILE = 3, (stat.S_IFREG | 0o644) << 16
_ENCRYPTED: Final = 0x1
_BLOCK: Final = 1024**2
_ZIP_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06")
_AGAIN: Final = "ask for it again"


def pack_bundle(
    folder: Path,
    destination: Path,
    *,
    cohort_ids: Collection[str] = (),
    with_training_rows: bool = False,
) -> dict[str, Any]:
    """Write a bundle's archive.

    Parameters
    ----------
    folder : Path
        A bundle, fused or not.
    destination : Path
        The file to make; it may not exist.
    cohort_ids : collection of str
        Ids of the patients it was trained on, to be looked for in all texts.
    with_training_rows : bool
        Also where it holds rows of single patients (:func:`isthmus.models.bundle_terms.training_rows`).

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    BundleError
        When the bundle is altered, holds other files, ids or paths, or does not state licences and limits.
    OutputError
        When the destination exists or cannot be written.
    """
    folder, destination = Path(folder), Path(destination)
    if destination.exists():
        raise OutputError(
            "the destination exists and nothing is overwritten", where=str(destination), hint="choose another name"
        )
    spec, members = read_any_bundle(folder)
    hashes = hashes_of(folder)
    refuse_untold(folder, spec, members.values(), with_training_rows=with_training_rows)
    short = refuse_leaks(folder, hashes, cohort_ids)
    manifest = {
        "format": FORMAT,
        "notice": DISCLAIMER,
        "isthmus": version(),
        "bundle": {name: value for name, value in facts_of_bundle(folder).items() if name != "sha256"},
        "ids_looked_for": len(set(cohort_ids)) - short,
        "sha256": sha256_of_json(hashes),
        "files": {name: {"bytes": (folder / name).stat().st_size, "sha256": one} for name, one in hashes.items()},
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with atomic_path(destination) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry(MANIFEST), text)
        for name in hashes:
            with (folder / name).open("rb") as source, archive.open(_entry(name), "w", force_zip64=True) as target:
                while block := source.read(_BLOCK):
                    target.write(block)
    return manifest


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIRST_DAY)
    entry.create_system, entry.external_attr, entry.compress_type = _UNIX, _PLAIN_FILE, zipfile.ZIP_STORED
    return entry


def unpack_bundle(archive: Path, destination: Path) -> dict[str, Any]:
    """Make a bundle's folder of its archive.

    Parameters
    ----------
    archive : Path
        As :func:`pack_bundle` writes it.
    destination : Path
        Folder to make.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    BundleError
        When the file is no such archive, or anything in it is not what its manifest says. Nothing is left then.
    OutputError
        When the destination exists or cannot be written.
    """
    archive, destination = Path(archive), Path(destination)
    refuse_existing(destination)
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked_entries(opened, archive)
            manifest = _manifest(opened, entries, archive)
            with new_folder(destination) as folder:
                for name, said in manifest["files"].items():
                    _extract(opened, entries[name], folder / name, said, archive)
                if hashes_of(folder) != {name: said["sha256"] for name, said in manifest["files"].items()}:
                    raise BundleError("manifest and bundle differ", where=str(archive), hint=_AGAIN)
    except FileNotFoundError as error:
        raise BundleError("no such file", where=str(archive), expected="a packed bundle") from error
    except (zipfile.BadZipFile, NotImplementedError, EOFError, IsADirectoryError, RuntimeError) as error:
        raise BundleError(
            f"this is no archive of a bundle, or a damaged one ({error})", where=str(archive), hint=_AGAIN
        ) from error
    return manifest


def _checked_entries(opened: zipfile.ZipFile, archive: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the entries by name, after everything that a list of contents alone can say."""
    found, seen = dict[str, zipfile.ZipInfo](), dict[str, str]()
    listed, size = opened.infolist(), archive.stat().st_size
    if len(listed) > _MOST_FILES or size > LARGEST_ARCHIVE:
        raise _refused(f"it has {len(listed):,} files and {size:,} bytes", archive)
    for entry in listed:
        fault = _fault(entry)
        alike = unicodedata.normalize("NFC", entry.filename).casefold()
        if fault is None and alike in seen:
            fault = "stands there twice" if seen[alike] == entry.filename else "differs from another in capitals alone"
        if fault is not None:
            raise _refused(f"its entry {entry.filename[:80]!r} {fault}", archive)
        seen[alike] = entry.filename
        found[entry.filename] = entry
    # Entries of an archive that is whole lie beside one another; one that counts bytes twice is a bomb.
    if sum(entry.file_size for entry in listed) > size:
        raise _refused("its entries have more bytes than it has itself", archive)
    return found


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """Return what is wrong with an entry's name, kind or size."""
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    parts = name.split("/")
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        return "has a name that is empty, too long, or not printable"
    if name.startswith("/") or "\\" in name or ":" in name or any(part in ("", ".", "..") for part in parts):
        return "leads out of its folder, or names one"
    if any(part != part.rstrip(". ") for part in parts):
        return "ends with a blank or a full stop"
    if kind not in (0, stat.S_IFREG):
        return "is a link or another special file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        return "is compressed, which nothing in a packed bundle is"
    if entry.file_size > LARGEST:
        return f"has {entry.file_size:,} bytes"
    return None


def _manifest(opened: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], archive: Path) -> dict[str, Any]:
    entry = entries.get(MANIFEST)
    if entry is None or entry.file_size > _LARGEST_MANIFEST:
        raise _refused(f"it has no {MANIFEST}", archive)
    try:
        manifest: dict[str, Any] = json.loads(opened.read(entry))
        check_format(manifest, "archive", 1, archive)
        files = {str(name): (int(said["bytes"]), str(said["sha256"])) for name, said in manifest["files"].items()}
    except InputError as error:
        raise BundleError(error.what, where=error.where, expected=error.expected, hint=error.hint) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(f"its {MANIFEST} cannot be read ({type(error).__name__})", archive) from error
    inside = set(entries) - {MANIFEST}
    if extra := sorted(inside - set(files)):
        raise _refused(f"it holds {extra[0][:80]!r}, of which its manifest says nothing", archive)
    if missing := sorted(set(files) - inside):
        raise _refused(f"it lacks {missing[0][:80]!r}", archive)
    hashes = {name: sha256 for name, (_, sha256) in sorted(files.items())}
    if manifest.get("sha256") != sha256_of_json(hashes):
        raise _refused("its manifest contradicts itself", archive)
    return manifest


def _extract(
    opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, said: Mapping[str, Any], archive: Path
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), int(said["bytes"])
    with opened.open(entry) as source, path.open("xb") as target:
        while block := source.read(_BLOCK):
            # A head's classifier is one by its format; its own reader bounds what it may unpack to.
            if left == int(said["bytes"]) and block.startswith(_ZIP_STARTS) and path.suffix != ".skops":
                raise _refused(f"its entry {entry.filename!r} is an archive itself", archive)
            left -= len(block)
            if left < 0:
                break
            digest.update(block)
            target.write(block)
    if left or digest.hexdigest() != said["sha256"]:
        raise _refused(f"its entry {entry.filename!r} is not what the manifest says", archive)


def _refused(what: str, archive: Path) -> BundleError:
    return BundleError(f"this archive is not unpacked: {what}", where=str(archive), hint=_AGAIN)
