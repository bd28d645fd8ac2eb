"""What the page shows of clips: which frames the heat lies on, films that play, and filmstrips for paper."""

import base64
from typing import Any, Final

from isthmus.errors import InputError
from isthmus.report.context import Film, ReportContext
from isthmus.report.reading import count, interval, number

MOST_FILMS: Final = 4
FILM_BYTES: Final = 6 * 1024**2
STRIP_BYTES: Final = 8 * 1024**2
"""What all films, and all filmstrips, may take of the page; the folder of explanations holds the rest."""

_SOUGHT: Final = {"calcified": "a true calcification", "lesion": "the nodule"}


def film_parts(context: ReportContext) -> dict[str, Any]:
    """Return the page's entries ``films``, ``films_note``, ``attended`` and ``attended_sentences``.

    Raises
    ------
    InputError
        When a film or a filmstrip is missing.
    """
    shown, note = _films(context)
    return {
        "films": shown,
        "films_note": note,
        "attended": _rows(context),
        "attended_sentences": _sentences(context),
    }


def _films(context: ReportContext) -> tuple[list[dict[str, str]], str]:
    """Return the arms' films in order, the primary arm's first; of each arm one plays, the others are filmstrips."""
    primary = (context.evidence.get("primary") or {}).get("arm")
    ordered = sorted(context.films, key=lambda film: film.arm != primary)
    shown: list[dict[str, str]] = []
    played, used, strips, silent = set[str](), 0, 0, list[str]()
    for film in ordered:
        video, strip = _size(film, "video"), _size(film, "filmstrip")
        if strips + strip > STRIP_BYTES:
            continue
        strips += strip
        first = film.arm not in {entry["arm"] for entry in shown}
        plays = first and len(played) < MOST_FILMS and used + video <= FILM_BYTES
        if plays:
            played.add(film.arm)
            used += video
        elif first:
            silent.append(context.title_of(film.arm))
        shown.append(
            {
                "arm": film.arm,
                "heading": context.title_of(film.arm) if first else "",
                "video": _address(film.video.read_bytes(), "video/mp4") if plays else "",
                "strip": _address(film.filmstrip.read_bytes(), "image/png"),
                "caption": film.caption,
                "alternative": film.alternative,
            }
        )
    return shown, _note(silent, len(context.films) - len(shown))


def _note(silent: list[str], left_out: int) -> str:
    notes = []
    if silent:
        notes.append(
            f"To keep this page small, no film plays here of {', '.join(silent)}: at most {MOST_FILMS} films of "
            f"{FILM_BYTES // 1024**2} MiB in all do."
        )
    if left_out:
        strips = "1 filmstrip is" if left_out == 1 else f"{left_out} filmstrips are"
        notes.append(f"{strips} left out for the same reason.")
    return " ".join(notes)


def _size(film: Film, which: str) -> int:
    path = film.video if which == "video" else film.filmstrip
    if not path.is_file():
        raise InputError(f"no such {which} for the report", where=str(path))
    return path.stat().st_size


def _address(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _rows(context: ReportContext) -> list[list[str]]:
    """Return, for each arm and what is sought, how often the frame of most heat shows it."""
    rows = []
    for arm, found in context.localisation.items():
        for name, words in _SOUGHT.items():
            facts = found.frames.get(name)
            if facts and facts["clips"]:
                cells = [count(facts["clips"]), count(facts["every_frame"]), number(facts["top"]["estimate"])]
                cells += [number(facts["chance"]["estimate"]), interval(facts["difference"])]
                cells += [number(100 * facts["rank"]["estimate"], 0)]
                grid = " × ".join(map(str, (found.frames["steps"], *found.frames["cells"])))
                steps = f"{count(found.frames['seen'])}; {grid}"
                rows.append([context.title_of(arm), words, steps, *cells])
    return rows


def _sentences(context: ReportContext) -> list[str]:
    return [
        f"{context.title_of(arm)}. {found.frames[name]['sentence']}"
        for arm, found in context.localisation.items()
        for name in _SOUGHT
        # Where the nodule is in plane throughout, as in clips cut to it, nothing is left to say of frames.
        if name in found.frames and (name == "calcified" or found.frames[name]["clips"])
    ]
