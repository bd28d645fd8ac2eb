"""Pictures inside the page, as data addresses."""

import base64
from typing import Any

from isthmus.errors import InputError
from isthmus.report.context import Picture, ReportContext
from isthmus.report.reading import listed

_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
# Above this a page no longer opens comfortably; the folder of explanations holds the rest.
_GALLERY_BYTES = 24 * 1024**2


def embedded_gallery(pictures: list[Picture]) -> list[dict[str, str]]:
    """Return the pictures as data addresses with caption and alternative text, up to 24 MiB in all.

    Raises
    ------
    InputError
        For a missing picture, or one that no browser shows.
    """
    shown, used = [], 0
    for picture in pictures:
        kind = _TYPES.get(picture.path.suffix.lower())
        if kind is None:
            raise InputError(
                "a browser does not show this kind of picture", where=picture.path.name, expected=", ".join(_TYPES)
            )
        if not picture.path.is_file():
            raise InputError("no such picture for the report's gallery", where=str(picture.path))
        content = picture.path.read_bytes()
        used += len(content)
        if used > _GALLERY_BYTES:
            break
        source = f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
        shown.append(
            {"source": source, "caption": picture.caption, "alternative": picture.alternative or picture.caption}
        )
    return shown


def flips_sentence(context: ReportContext, arm: str | None = None) -> str:
    """Return that heat maps are of the picture as it is where scores are means over mirror images; '' elsewhere."""
    settings = (context.protocol_resolved or {}).get("arms", {})
    arms = [key for key in settings if (settings[key].get("predict") or {}).get("flips") and arm in (None, key)]
    if not arms:
        return ""
    return (
        f"{listed([context.title_of(key) for key in arms])}: the score is a mean over the picture and its mirror "
        "image; the heat map is of the picture as it is."
    )


def wrong_pictures(context: ReportContext) -> dict[str, Any]:
    """Return the page's entries ``wrong_pictures`` and its note: those of the primary arm, else of the first."""
    primary = (context.evidence.get("primary") or {}).get("arm")
    arms = list(dict.fromkeys(picture.arm for picture in context.misclassified))
    if not arms:
        return {"wrong_pictures": [], "wrong_pictures_note": ""}
    arm = primary if primary in arms else arms[0]
    note = (
        f"{context.title_of(arm)}, views of held-out folds of the first seed: what the network saw, and its heat map. "
        f"explanations/{arm}/misclassified.csv lists all. {flips_sentence(context, arm)}"
    ).strip()
    shown = embedded_gallery([picture for picture in context.misclassified if picture.arm == arm])
    return {"wrong_pictures": shown, "wrong_pictures_note": note}
