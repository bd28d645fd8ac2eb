"""Files and regions that name what they belong to, ``ceus=clip.avi``, and the case that they make."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from isthmus.errors import InputError
from isthmus.inference.fused_case import Case, View
from isthmus.inference.input_files import not_there

_NAMED: Final = re.compile(r"([A-Za-z_][\w.-]*)=(.+)", re.DOTALL)


def named(value: str) -> tuple[str, str]:
    """Return the name before ``=`` and the rest; '' where there is none, or a file is called so.

    Examples
    --------
    >>> named("ceus=clip.avi"), named("clip.avi")
    (('ceus', 'clip.avi'), ('', 'clip.avi'))
    """
    found = _NAMED.fullmatch(value)
    if found is None or Path(value).exists():
        return "", value
    return found[1], found[2]


def columns_of(values: Sequence[str]) -> dict[str, str]:
    """Return ``["age_years=44"]`` as columns of a case.

    Raises
    ------
    InputError
        When one is no ``NAME=VALUE``, or a name stands twice.
    """
    columns: dict[str, str] = {}
    for value in values:
        name, sign, text = value.partition("=")
        if not sign or not name:
            raise InputError(f"--column {value!r} names no value", expected="NAME=VALUE, such as age_years=44")
        if name in columns:
            raise InputError(f"column {name} was given twice", expected="once")
        columns[name] = text
    return columns


def case_of_files(
    inputs: Sequence[str],
    modalities: Sequence[str],
    *,
    boxes: Sequence[str] = (),
    masks: Sequence[str] = (),
    scan_areas: Sequence[str] = (),
    frame_rate_hz: float | None = None,
    columns: Mapping[str, str | float | None] | None = None,
) -> Case:
    """Return the one case that files make.

    Parameters
    ----------
    inputs : sequence of str
        ``MODALITY=FILE``, or a member's name; it may be left out where there is one modality. Several
        files of one name are views of it.
    modalities : sequence of str
        That the model looks at.
    boxes, masks, scan_areas : sequence of str
        ``NAME=VALUE``, in the order of the name's files: none, or one for each; a scan area also one for all.
    frame_rate_hz : float, optional
        Of all clips whose files do not say.
    columns : mapping, optional
        What is known of the case.

    Raises
    ------
    InputError
        When a file or a region does not say to whom it belongs, or there are more or fewer regions than files.
    """
    files = _by_name(inputs, modalities, "file")
    only = list(files) if len(files) == 1 else []
    regions = {
        what: _by_name(values, only, what)
        for what, values in (("box", boxes), ("mask", masks), ("scan-area", scan_areas))
    }
    for what, given in regions.items():
        for name in given:
            if name not in files:
                raise InputError(f"a {what} was given for {name!r}, and no file", expected=", ".join(files))
    views = {}
    for name, paths in files.items():
        own = {what: _one_a_file(given.get(name, []), len(paths), name, what) for what, given in regions.items()}
        rows = zip(paths, own["box"], own["mask"], own["scan-area"], strict=True)
        views[name] = [
            View(_there(path), box, None if mask is None else _there(mask), area, frame_rate_hz)
            for path, box, mask, area in rows
        ]
    return Case(views, columns or {})


def _by_name(values: Sequence[str], names: Sequence[str], what: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for value in values:
        name, rest = named(value)
        if not name and len(names) != 1:
            expected = "MODALITY=FILE" if what == "file" else f"--{what} NAME=…"
            raise InputError(
                f"it is not said whose this {what} is", where=Path(value).name,
                expected=f"{expected}{f', the name one of {chr(44).join(names)}' if names else ''}",
            )  # fmt: skip
        found.setdefault(name or names[0], []).append(rest)
    return found


def _one_a_file(values: list[str], count: int, name: str, what: str) -> list[str] | list[None]:
    if not values:
        return [None] * count
    if len(values) == 1 and what == "scan-area":
        return values * count
    if len(values) != count:
        raise InputError(
            f"{name} has {count} files, and --{what} was given {len(values)} times for it",
            expected="one for each file, in their order, or none",
            hint="--cases takes a table with a row a file",
        )
    return values


def _there(path: str) -> Path:
    if not Path(path).exists():
        raise not_there(Path(path))
    return Path(path)
