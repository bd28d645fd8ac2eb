"""Atomic writes, hashes, locks and the version line of every YAML and JSON file that Isthmus leaves behind."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock, Timeout

from isthmus.errors import InputError, OutputError

if TYPE_CHECKING:
    from pydantic import BaseModel

_REFUSALS = {
    errno.ENOSPC: ("the disk is full", "free some space and repeat the command with --resume where it has one"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and repeat the command"),
    errno.EROFS: ("the file system is read-only", "choose another --out"),
    errno.EACCES: ("no permission to write here", "choose another --out or change the folder's permissions"),
    errno.EPERM: ("no permission to write here", "choose another --out or change the folder's permissions"),
    errno.ENOTDIR: ("a part of this path is a file, not a folder", "choose another --out"),
}


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into one clear :class:`OutputError`.

    Parameters
    ----------
    path : Path
        The file or folder that the block writes; only named in the message.

    Raises
    ------
    OutputError
        When the disk is full, read-only or not ours.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _REFUSALS:
            what, hint = _REFUSALS[error.errno]
            raise OutputError(what, where=str(path), hint=hint) from error
        raise


def make_folder(path: Path) -> None:
    """Make a folder with its parents, if it is not there.

    Raises
    ------
    OutputError
        When the system refuses.
    """
    with writing(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileNotFoundError, FileExistsError) as error:
            raise OutputError("no folder can be made here", where=str(path), hint="choose another --out") from error


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends well, sync it and rename it there.

    Parameters
    ----------
    path : Path
        The final place. Its folder is made if needed.

    Yields
    ------
    Path
        Where to write. It has the final file's suffix, so that writers that look at suffixes work.

    Raises
    ------
    OutputError
        When the disk is full, read-only or not ours.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    with writing(path):
        make_folder(path.parent)
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder for syncing
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, line ends as given."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically: two spaces of indent, keys as given, ``NaN`` refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_yaml(path: Path, content: Any) -> None:
    """Write YAML atomically, keys as given."""
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))


def read_json(path: Path, *, name: str | None = None, major: int = 1) -> Any:
    """Read JSON and, where ``name`` is given, check its ``format: isthmus-<name>/<major>.<minor>``.

    Raises
    ------
    InputError
        When the file is missing, is no JSON, or has another or a newer format.
    """
    try:
        content = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"this is not JSON: {error.msg}", where=f"{path}, line {error.lineno}") from error
    if name is not None:
        check_format(content, name, major, path)
    return content


class _TextLoader(yaml.SafeLoader):
    """Every plain value is the text that stands there: 007 stays 007, yes stays yes; a key comes once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            key.tag = "tag:yaml.org,2002:str"
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path, *, name: str | None = None, major: int = 1, texts: bool = False) -> Any:
    """Read YAML (no anchors, no tags) and, where ``name`` is given, check its format line.

    With ``texts`` plain values are not turned into numbers, dates or truth values, and a key may come only once.

    Raises
    ------
    InputError
        When the file is missing, is no YAML, or has another or a newer format.
    """
    try:
        # Both loaders make plain values only.
        content = yaml.load(_read_text(path), _TextLoader if texts else yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise InputError(f"this is not YAML: {getattr(error, 'problem', error)}", where=where) from error
    if name is not None:
        check_format(content, name, major, path)
    return content


def _read_text(path: Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("no such file", where=str(path)) from error
    except IsADirectoryError as error:
        raise InputError("this is a folder, not a file", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError("this file is not UTF-8 text", where=str(path), hint="save it as UTF-8") from error


def check_format(content: Any, name: str, major: int, path: Path) -> None:
    """Refuse a file of another kind or of a newer major version.

    Raises
    ------
    InputError
        When ``content['format']`` is not ``isthmus-<name>/<major>.<minor>``.
    """
    found = content.get("format") if isinstance(content, dict) else None
    expected = f"isthmus-{name}/{major}.x"
    kind, _, version = str(found).partition("/")
    if kind != f"isthmus-{name}" or not version.partition(".")[0].isdigit():
        raise InputError(f"format is {found!r}", where=str(path), expected=expected)
    if int(version.partition(".")[0]) > major:
        raise InputError(
            f"format {found!r} is newer than this Isthmus reads", where=str(path), expected=expected, hint="upgrade"
        )


@contextlib.contextmanager
def new_folder(destination: Path) -> Iterator[Path]:
    """Build a folder as ``DEST.partial`` and rename it when the block ends well.

    Parameters
    ----------
    destination : Path
        The folder to make; it may not exist, or must be empty.

    Yields
    ------
    Path
        The partial folder to fill. After an error nothing is left at ``destination``.

    Raises
    ------
    OutputError
        When the destination exists and is not empty, or cannot be written.
    """
    destination = Path(destination)
    refuse_existing(destination)
    partial = destination.with_name(destination.name + ".partial")
    with writing(destination):
        shutil.rmtree(partial, ignore_errors=True)
        make_folder(partial)
        try:
            yield partial
            publish_folder(partial, destination)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def publish_folder(partial: Path, destination: Path) -> None:
    """Sync a finished folder with all that is in it, and rename it to ``destination``, which may be an empty folder.

    Raises
    ------
    OutputError
        When the system refuses.
    """
    with writing(destination):
        for path in sorted(partial.rglob("*"), reverse=True):
            _sync(path)
        _sync(partial)
        if destination.exists():
            destination.rmdir()
        partial.rename(destination)
        _sync(destination.parent)


def refuse_existing(destination: Path) -> None:
    """Raise :class:`OutputError` when ``destination`` is a file or a folder with something in it."""
    destination = Path(destination)
    with writing(destination):
        if destination.is_file() or (destination.is_dir() and any(destination.iterdir())):
            raise OutputError(
                "the destination exists and nothing is overwritten",
                where=str(destination),
                hint="choose another folder, remove this one, or add --resume where the command has it",
            )


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_json(content: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON (sorted keys, no spaces), in hexadecimal."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def without_defaults(model: "BaseModel", kept: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return what is written of a model, without those of some fields that have their default.

    What is hashed goes on having the hash that it had before these fields were there, wherever they are not used.

    Parameters
    ----------
    model : BaseModel
        Whose fields say the defaults.
    kept : mapping
        Name to value, as the model would be written.
    names : collection of str
        The fields that came later.
    """
    fields = type(model).model_fields
    return {name: value for name, value in kept.items() if name not in names or value != fields[name].default}


@contextlib.contextmanager
def locked(path: Path, *, seconds: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock file while the block runs.

    Parameters
    ----------
    path : Path
        The lock file.
    seconds : float
        How long to wait for another holder; 0 refuses at once.

    Raises
    ------
    OutputError
        When another process holds it.
    """
    path = Path(path)
    with writing(path):
        make_folder(path.parent)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=seconds)
        except Timeout as error:
            raise OutputError(
                "another process is working here", where=str(path.parent), hint="wait for it, or end it"
            ) from error
    try:
        yield
    finally:
        lock.release()
