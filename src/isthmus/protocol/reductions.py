"""What a profile changes against the protocol as published, in words."""

import re
from collections.abc import Iterable
from typing import Any, Final

from isthmus.protocol.resolve import narrowed, resolve_protocol

NOT_HERE: Final = "arms of the profile that this run has not"
"""How the line begins that names arms of the profile which nobody asked for or the cohort cannot show."""


def reductions(name: str, profile: str, arms: Iterable[str] | None = None, in_folds: bool = True) -> list[str]:
    """Return in words what a run changes against the protocol as published, one line a changed value.

    Parameters
    ----------
    name, profile : str
        As for :func:`resolve_protocol`.
    arms : iterable of str, optional
        The arms that the run has; by default those of the profile.
    in_folds : bool
        False where a cohort's own validation part is held out, so that the number of folds changes nothing.
    """
    published, used = resolve_protocol(name), resolve_protocol(name, profile)
    of_profile = used.names
    chosen = list(of_profile if arms is None else arms)
    if not set(chosen) <= set(used.names):  # the caller has arms that the profile leaves out
        used = resolve_protocol(name, profile, ["only=null"])
    missing = [arm for arm in published.names if arm not in chosen]
    reduced_by = [arm for arm in missing if arm not in of_profile]
    others = [arm for arm in missing if arm in of_profile]
    lines: dict[str, None] = dict.fromkeys([f"arms left out: {', '.join(reduced_by)}"] if reduced_by else [])
    if others:
        lines[f"{NOT_HERE} (not asked for, or the cohort has no picture): {', '.join(others)}"] = None
    paper, reduced = (narrowed(one, chosen).model_dump(mode="json") for one in (published, used))
    changes = {key: words for key, words in _changes(paper, reduced) if key not in ("profile", "claims")}
    if not in_folds:
        changes.pop("splits.cross_validation.folds", None)
    for key, words in changes.items():
        step, _, rest = key.partition(".")
        own = rest.partition(".")[2]
        shared = re.sub(r"^candidates\.[^.]+\.", "", own)
        if step == "arms" and shared != own and changes.get(f"arms.{rest.partition('.')[0]}.{shared}") == words:
            continue  # the arm says it of all of its candidates
        alike = [arm for arm in paper["arms"] if changes.get(f"arms.{arm}.{own}") == words] if step == "arms" else []
        if len(alike) == len(paper["arms"]):
            lines[f"every arm's {own}: {words}"] = None
        else:
            lines[f"{own} of {', '.join(alike)}: {words}" if len(alike) > 1 else f"{key}: {words}"] = None
    return list(lines)


def _changes(paper: Any, reduced: Any, place: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(paper, dict) and isinstance(reduced, dict):
        for key in {**paper, **reduced}:
            yield from _changes(paper.get(key), reduced.get(key), f"{place}.{key}" if place else str(key))
    elif paper != reduced:
        yield place, f"{_spoken(reduced)} instead of {_spoken(paper)}"


def _spoken(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_spoken(inner)}" for key, inner in value.items()) or "none"
    return str(value)
