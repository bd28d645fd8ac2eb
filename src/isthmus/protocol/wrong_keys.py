"""What is wrong with a key or value of a protocol, in words: where it was typed, and what would be right."""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from isthmus.errors import ProtocolError, did_you_mean

_Steps = tuple[str, ...]

_KINDS = {
    # The first word of pydantic's name of an error, and what was expected.
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list in square brackets",
    "dict": "keys with values",
    "model": "keys with values",
}
_BOUNDS = {
    # Pydantic's name of an error, its name of the bound, and what was expected.
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
    "too_short": ("min_length", "entries: at least"),
    "too_long": ("max_length", "entries: at most"),
}


def refusal_of(
    error: ValidationError, model: type[BaseModel], where: str, settings: Sequence[str] = ()
) -> ProtocolError:
    """Return the first thing that is wrong with a resolved protocol, in words.

    Parameters
    ----------
    error : ValidationError
        What pydantic found.
    model : type
        The schema.
    where : str
        The file's name; a key that was typed behind ``--set`` is named by that instead.
    settings : sequence of str
        The ``key=value`` pairs of ``--set``.

    Returns
    -------
    ProtocolError
        With what was expected, and the nearest right word of an unknown key or of a choice.
    """
    first = error.errors()[0]
    steps = tuple(str(step) for step in first["loc"])
    typed, steps = _as_typed(first, steps, settings)
    where = where if typed is None else f"--set {typed}"
    place = ".".join(steps)
    if first["type"] == "extra_forbidden":
        *parents, key = first["loc"]
        known = fields_at(model, parents)
        return ProtocolError(
            f"unknown key {place!r}", where=where, expected=", ".join(known), hint=did_you_mean(str(key), known)
        )
    if first["type"] == "missing":
        return ProtocolError(f"the key {place!r} is missing", where=where)
    expected = _expected(first, fields_at(model, first["loc"]))
    found = "" if isinstance(first["input"], dict) else f", found {first['input']!r}"
    if expected is None:
        message = first["msg"].removeprefix("Value error, ")
        return ProtocolError(f"{place or 'the protocol'}: {message}{found}", where=where)
    return ProtocolError(
        f"{place} is {first['input']!r}", where=where, expected=expected, hint=_next_step(first, place)
    )


def _as_typed(first: Mapping[str, Any], steps: _Steps, settings: Sequence[str]) -> tuple[str | None, _Steps]:
    """Return the key of the last `--set` that reaches this place of the resolved protocol, and what it calls the place.

    What is typed for all arms (`defaults.…`) stands in the resolved protocol under each arm's name.
    """
    places = [steps, ("defaults", *steps[2:])] if steps[:1] == ("arms",) and len(steps) > 2 else [steps]
    for text in reversed(settings):
        key = text.partition("=")[0].strip()
        names = tuple(key.split("."))
        for place in places:
            if first["type"] == "value_error" and len(names) > len(place):
                continue  # keys contradict each other, and which of them is wrong is not known
            if place and all(one == other for one, other in zip(place, names, strict=False)):
                return key, place
    return None, steps


def _expected(first: Mapping[str, Any], fields: Sequence[str]) -> str | None:
    """Return what a value should have been, None where the schema's own message says it."""
    kind, context = first["type"], first.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"])
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return f"{words} {context[bound]}"
    if kind.endswith(("_type", "_parsing", "_from_float")):
        words = _KINDS.get(kind.partition("_")[0], "")
        return (f"{words} ({', '.join(fields)})" if fields else words) or None
    return None


def _next_step(first: Mapping[str, Any], place: str) -> str | None:
    value = first["input"]
    if first["type"] == "list_type" and isinstance(value, str | int | float):
        return f'--set "{place}=[{value}]"'
    if first["type"] == "string_type" and isinstance(value, bool | int | float):
        return f"put it in quotes: --set '{place}=\"{value}\"'"
    if first["type"] == "literal_error":
        return did_you_mean(str(value), re.findall(r"'([^']+)'", first["ctx"]["expected"]))
    return None


def fields_at(model: Any, steps: Iterable[int | str]) -> list[str]:
    """Return the field names that a location inside the schema allows."""
    for step in steps:
        model = _member(model, step)
        if model is None:
            return []
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _member(model: Any, step: object) -> Any:
    annotation: Any = model
    if isinstance(model, type) and issubclass(model, BaseModel):
        field = model.model_fields.get(str(step))
        if field is None:
            return None
        annotation = field.annotation
    elif get_origin(model) is dict:
        annotation = get_args(model)[1]
    if get_origin(annotation) in (Union, UnionType):
        annotation = next((option for option in get_args(annotation) if option is not type(None)), None)
    return annotation
