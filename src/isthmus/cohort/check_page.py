"""``check.json`` and ``check.html``: what a cohort check found, with pictures to look at; one self-contained page."""

import base64
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from jinja2 import Environment
from numpy.typing import NDArray

from isthmus.cohort.check_report import CheckedView, CheckReport
from isthmus.errors import PictureError
from isthmus.files import write_json, write_text
from isthmus.imaging.clip import Box
from isthmus.imaging.clip_masks import read_clip_mask
from isthmus.imaging.read import read_clip
from isthmus.imaging.region import find_scan_area
from isthmus.manifest import DISCLAIMER

THUMBNAILS: Final = 36
_WIDTH: Final = 360
_BLOCKS: Final = 35  # letters are about a 40th of a screen high
_LISTED: Final = 200
_PLACES: Final = 8
# Blue, orange and yellow of Okabe and Ito, in OpenCV's order: told apart by colour-blind readers.
_REGION, _OUTLINE, _MARK = (233, 180, 86), (0, 94, 213), (66, 228, 240)

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Cohort check: {{ report.name }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; color: #1a1a1a; }
h1 { font-size: 1.5rem; margin: 0.3rem 0; } h2 { font-size: 1.15rem; margin-top: 1.8rem; }
.notice { background: #f2f2f2; padding: 0.3rem 0.7rem; } .simulated { background: #ffe9b3; font-weight: 600; }
.verdict { font-size: 1.15rem; border-left: 0.4rem solid #0072b2; padding: 0.3rem 0.8rem; }
.verdict.failed { border-color: #d55e00; }
table { border-collapse: collapse; } th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; vertical-align: top; }
td.number, th.number { text-align: right; max-width: 9rem; font-variant-numeric: tabular-nums; }
tr { border-bottom: 1px solid #ddd; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 0.8rem; }
figure { margin: 0; } img { width: 100%; display: block; } figcaption { font-size: 0.85rem; }
.error { color: #a63c00; font-weight: 600; } .warning { color: #7a5c00; font-weight: 600; }
</style></head><body>
<p class="notice">{{ notice }}</p>
{% if report.simulated %}<p class="notice simulated">SIMULATED: these pictures were made by a program.</p>{% endif %}
<h1>Cohort check: {{ report.name or "not readable" }}</h1>
<p class="verdict{{ ' failed' if report.failed }}">{{ "Failed" if report.failed else "Passed" }}:
{{ report.count("error") }} errors, {{ report.count("warning") }} warnings, {{ report.count("note") }} notes.</p>
{% if report.counts %}<table><tr>{% for name in report.counts %}<th class="number">{{ name }}</th>{% endfor %}</tr>
<tr>{% for count in report.counts.values() %}<td class="number">{{ count }}</td>{% endfor %}</tr></table>{% endif %}
{% if report.balance %}<h2>Labels by site</h2>
<table><tr><th>target</th><th>site</th><th>class</th><th class="number">nodules</th><th class="number">groups</th>
<th class="number">views</th><th class="number">of them with marks a lesion network sees</th></tr>
{% for row in report.balance %}<tr><td>{{ row.target }}</td><td>{{ row.site }}</td><td>{{ row["class"] }}</td>
<td class="number">{{ row.nodules }}</td><td class="number">{{ row.groups }}</td><td class="number">{{ row.views }}</td>
<td class="number">{{ row.views_with_marks }}</td></tr>{% endfor %}</table>{% endif %}
<h2>Findings</h2>
{% if not report.findings %}<p>None.</p>{% else %}
<table><tr><th>severity</th><th>subject</th><th class="number">times</th><th>what</th><th>where</th></tr>
{% for finding, places in kinds[:listed] %}<tr><td class="{{ finding.severity }}">{{ finding.severity }}</td>
<td>{{ finding.subject }}</td><td class="number">{{ places|length }}</td><td>{{ finding.message }}</td>
<td>{{ places[:few]|join(", ") }}{% if places|length > few %} and {{ places|length - few }} more{% endif %}</td>
</tr>{% endfor %}</table>
<p>{% if kinds|length > listed %}{{ kinds|length - listed }} more kinds are not shown. {% endif %}
Every single place is in check.json.</p>
{% endif %}
{% if pictures %}<h2>Pictures</h2>
<p>{{ pictures|length }} of {{ report.views|length }} views, those with findings first. Blue: scan region. Red: outline
or box. Yellow: burned-in text or marks inside the scan region.</p>
<div class="pictures">{% for view, source in pictures %}<figure><img alt="view {{ view.view_id }}" src="{{ source }}">
<figcaption>{{ view.view_id }}{% if view.frames > 1 %}, frame {{ view.frame + 1 }} of {{ view.frames }}{% endif %}
{% if view.text %}, {{ view.text|length }} marks{% endif %}</figcaption></figure>
{% endfor %}</div>{% endif %}
</body></html>
"""


def write_check(report: CheckReport, cohort_folder: Path, destination: Path) -> None:
    """Write ``check.json`` and ``check.html``.

    Parameters
    ----------
    report : CheckReport
        As :func:`isthmus.cohort.audit.check_cohort` returns.
    cohort_folder : Path
        Where the pictures lie.
    destination : Path
        The folder for the two files; made if needed.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    chosen = _choose(report.views)
    pictures = [(view, source) for view in chosen if (source := _thumbnail(Path(cohort_folder), view))]
    page = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    write_json(destination / "check.json", report.to_json())
    write_text(
        destination / "check.html",
        page.render(
            report=report,
            kinds=report.grouped(),
            pictures=pictures,
            notice=DISCLAIMER,
            listed=_LISTED,
            few=_PLACES,
        ),
    )


def _choose(views: list[CheckedView]) -> list[CheckedView]:
    """Return the views to show: those with findings, then those with text, then an even sample of the others."""
    first = sorted((view for view in views if view.marked or view.text), key=lambda view: not view.marked)
    others = [view for view in views if not (view.marked or view.text)]
    # A quarter of the places stays for views without findings, so that the ordinary is seen too.
    shown = first[: max(THUMBNAILS * 3 // 4, THUMBNAILS - len(others))]
    places = THUMBNAILS - len(shown)
    step = max(1, len(others) // places) if places else 1
    return shown + others[::step][:places]


def _thumbnail(folder: Path, view: CheckedView) -> str:
    try:
        picture = _colour(read_clip(folder / view.path, frames=[view.frame]).frames[0])
    except PictureError:
        return ""
    mask = _mask(folder, view)
    picture = _illegible_outside(picture, view.region or find_scan_area(picture).box)
    if view.region:
        _rectangle(picture, view.region, _REGION)
    if mask is not None and mask.shape == picture.shape[:2]:
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, _OUTLINE, 2)
    elif view.box:
        _rectangle(picture, view.box, _OUTLINE)
    for text in view.text:
        _rectangle(picture, text, _MARK)
    height = max(1, round(picture.shape[0] * _WIDTH / picture.shape[1]))
    small = cv2.resize(picture, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def _mask(folder: Path, view: CheckedView) -> NDArray[np.bool_] | None:
    try:
        return read_clip_mask(folder / view.mask, [view.frame])[0] if view.mask else None
    except PictureError:
        return None


def _colour(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    turned = frame[:, :, ::-1] if frame.shape[2] == 3 else np.repeat(frame, 3, axis=2)
    return np.ascontiguousarray(turned)


def _illegible_outside(picture: NDArray[np.uint8], region: Box) -> NDArray[np.uint8]:
    """Return the picture with coarse blocks outside the scan area: a name printed there must not reach the page."""
    height, width = picture.shape[:2]
    block = max(8, width // _BLOCKS)
    coarse = cv2.resize(picture, (max(1, width // block), max(1, height // block)), interpolation=cv2.INTER_AREA)
    hidden = np.array(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    x0, y0, x1, y1 = (max(0, round(value)) for value in region)
    hidden[y0:y1, x0:x1] = picture[y0:y1, x0:x1]
    return hidden


def _rectangle(picture: NDArray[np.uint8], box: Box, colour: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = (round(value) for value in box)
    cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), colour, 2)
