"""Pseudonyms of patients and sites, and the key file that alone leads back to them.

A pseudonym is the beginning of a keyed hash (HMAC-SHA256) of the original under a random salt. Salt and table stand in
the key file, which stays with its owner: readable by nobody else, never inside a cohort. Importing again with the same
key file gives the same pseudonyms; with another key file, others.
"""

import hashlib
import hmac
import os
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from isthmus.errors import CohortError, InputError
from isthmus.files import atomic_path, check_format, locked, read_json, write_json

FORMAT: Final = "isthmus-key/1.0"
Kind = Literal["patient", "site"]

_MARKS: Final[dict[str, str]] = {"patient": "P", "site": "S"}
_SALT_BYTES: Final = 32
# Crockford's alphabet: no I, L, O, U, so that nothing is misread when it is typed from paper.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SHORTEST: Final = 8  # 40 bits; a longer one is taken where two originals meet
_LONGEST: Final = 256 // 5
_PRIVATE: Final = stat.S_IRUSR | stat.S_IWUSR


@dataclass
class Pseudonyms:
    """What stands in a key file; see :func:`open_key`. Its text form names nobody.

    Parameters
    ----------
    salt : bytes
        32 random bytes, drawn once.
    tables : dict
        For each kind, original to pseudonym.
    first_days : dict
        A patient's pseudonym to the day that its dates are counted from.
    """

    salt: bytes = field(repr=False)
    tables: dict[str, dict[str, str]] = field(repr=False)
    first_days: dict[str, date] = field(repr=False)
    _used: set[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._used = {pseudonym for table in self.tables.values() for pseudonym in table.values()}

    @classmethod
    def new(cls, salt: bytes | None = None) -> "Pseudonyms":
        """Return an empty table under a fresh random salt, or under a given one of 32 bytes."""
        return cls(salt or secrets.token_bytes(_SALT_BYTES), {kind: {} for kind in _MARKS}, {})

    def of(self, original: str, kind: Kind = "patient") -> str:
        """Return the pseudonym of an original, the same for every call; equal ids differ in blanks or form at most.

        Raises
        ------
        CohortError
            When the original is empty: nobody can be told apart by it.

        Examples
        --------
        >>> names = Pseudonyms.new(bytes(32))
        >>> names.of("007")
        'P-CW13CSZ4'
        >>> names.of(" 007 ") == names.of("007") != names.of("7")
        True
        """
        told = _told(original)
        if not told:
            raise CohortError(f"a {kind} without an id cannot be given a pseudonym", expected=f"the {kind}'s id")
        table = self.tables[kind]
        if told not in table:
            table[told] = self._unused(told, kind)
            self._used.add(table[told])
        return table[told]

    def patient_id_for(self, original: str) -> str:
        """Return a patient's pseudonym; see :meth:`of`."""
        return self.of(original)

    def days_since(self, pseudonym: str, day: date, first: date) -> int:
        """Return the days from a patient's first examination to this one.

        The first one stays that of the first import, so that later imports count from the same day; an earlier one
        found later has a negative number.
        """
        return (day - self.first_days.setdefault(pseudonym, first)).days

    def _unused(self, told: str, kind: str) -> str:
        digest = hmac.new(self.salt, f"{kind}\0{told}".encode(), hashlib.sha256).digest()
        bits = int.from_bytes(digest, "big")
        letters = "".join(_ALPHABET[bits >> (256 - 5 * (place + 1)) & 31] for place in range(_LONGEST))
        for length in range(_SHORTEST, _LONGEST + 1):
            if (found := f"{_MARKS[kind]}-{letters[:length]}") not in self._used:
                return found
        raise CohortError("two ids have one SHA-256", hint="take another key file")


@contextmanager
def open_key(path: Path, *, outside: Path) -> Iterator[Pseudonyms]:
    """Open a key file, or make one; what is added in the block is saved when it ends well.

    Parameters
    ----------
    path : Path
        The key file. A new one gets a random salt and is readable by its owner alone.
    outside : Path
        The cohort folder, in which the key file may not lie.

    Yields
    ------
    Pseudonyms
        Locked against another import until the block ends.

    Raises
    ------
    CohortError
        When the key file would lie in the cohort, or is damaged.
    InputError
        When it is no key file, or a newer one.
    OutputError
        When it cannot be written, or another import holds it.
    """
    refuse_inside(path, outside)
    lock = path.with_name(f".{path.name}.lock")
    with locked(lock):
        try:
            names = _read(path) if path.exists() else Pseudonyms.new()
            # A new salt is kept before anything is made with it.
            save_key(path, names)
            yield names
            save_key(path, names)
        finally:
            # While it is held: who opened it meanwhile notices that it is gone, and tries again.
            with suppress(OSError):
                lock.unlink()


def refuse_inside(path: Path, folder: Path) -> None:
    """Raise :class:`CohortError` when a file that names patients would lie in a cohort folder."""
    place, cohort = path.resolve(), folder.resolve()
    if path.is_dir():
        raise CohortError("the key file is a folder", where=str(path), hint="name a file, e.g. --key ../study.key.json")
    if {cohort, cohort.with_name(f"{cohort.name}.partial")} & {place, *place.parents}:
        raise CohortError(
            "the key file would lie inside the cohort, and whoever gets the cohort would know the patients",
            where=str(path),
            expected="a place outside the cohort, not shared with it",
            hint="e.g. --key ../study.key.json",
        )


def save_key(path: Path, names: Pseudonyms) -> None:
    """Write a key file atomically; nobody but its owner can read it, at no moment."""
    content = {
        "format": FORMAT,
        "notice": "Leads from pseudonyms back to patients. Keep it secret, keep it safe, never beside a cohort.",
        "salt": names.salt.hex(),
        **{f"{kind}s": names.tables[kind] for kind in _MARKS},
        "first_days": {pseudonym: day.isoformat() for pseudonym, day in names.first_days.items()},
    }
    with private_path(path) as temporary:
        write_json(temporary, content)
        temporary.chmod(_PRIVATE)


@contextmanager
def private_path(path: Path) -> Iterator[Path]:
    """As :func:`isthmus.files.atomic_path`, for a file that only its owner may read."""
    before = os.umask(0o077)
    try:
        with atomic_path(path) as temporary:
            yield temporary
    finally:
        os.umask(before)


def _told(original: str) -> str:
    # Full-width digits and padded ids are the same id; a leading zero is not.
    return unicodedata.normalize("NFKC", original).strip()


def _read(path: Path) -> Pseudonyms:
    try:
        content: Any = read_json(path)
    except InputError as error:
        raise InputError(
            "this is no key file, and it is not overwritten",
            where=str(path),
            expected="the key file of an earlier import, or a new name",
            hint="e.g. --key ../study.key.json; --table names the table",
        ) from error
    check_format(content, "key", 1, path)
    try:
        salt = bytes.fromhex(content["salt"])
        tables = {kind: {**content[f"{kind}s"]} for kind in _MARKS}
        first_days = {str(name): date.fromisoformat(day) for name, day in content["first_days"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path) from error
    cells = [cell for table in tables.values() for pair in table.items() for cell in pair]
    twice = any(len(set(table.values())) < len(table) for table in tables.values())
    if len(salt) != _SALT_BYTES or twice or not all(isinstance(cell, str) for cell in cells):
        raise _damaged(path)
    return Pseudonyms(salt, tables, first_days)


def _damaged(path: Path) -> CohortError:
    return CohortError(
        "the key file is damaged",
        where=str(path),
        expected=f"{FORMAT} with salt, patients, sites and first_days, each pseudonym once",
        hint="take it from your backup: another key gives other pseudonyms",
    )
