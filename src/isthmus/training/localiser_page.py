"""``report.html`` of a localiser: figures with intervals, and pictures of its best, middling and worst proposals."""

import base64
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
from jinja2 import Environment
from numpy.typing import NDArray

from isthmus.files import write_text
from isthmus.imaging.clip import Box
from isthmus.inference.localiser import Localiser
from isthmus.training.localiser_examples import LocaliserView

EACH: Final = 6
"""Pictures of each kind."""

_WIDTH: Final = 320
# Blue and orange of Okabe and Ito, in OpenCV's order: told apart with any colour vision; the proposed one is dashed.
_DRAWN, _PROPOSED = (233, 180, 86), (0, 159, 230)
_DASH: Final = 7

_ROWS: Final = (
    ("mask_iou", "IoU of the outlines", False),
    ("dice", "Dice coefficient of the outlines", False),
    ("box_iou", "IoU of the boxes", False),
    ("hit_rate", "Hit rate", True),
    ("hit_rate_among_proposed", "Hit rate among proposed regions", True),
    ("no_proposal", "No proposal", True),
    ("fixed_box", "Hit rate of one fixed box", True),
)
"""Key, words, and whether it is a share of the views."""

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Localiser: {{ names }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; color: #1a1a1a; }
h1 { font-size: 1.5rem; margin: 0.3rem 0; } h2 { font-size: 1.15rem; margin-top: 1.8rem; }
.notice { background: #f2f2f2; padding: 0.3rem 0.7rem; } .simulated { background: #ffe9b3; font-weight: 600; }
.headline { font-size: 1.15rem; border-left: 0.4rem solid #0072b2; padding: 0.3rem 0.8rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: 0.2rem 1.2rem 0.2rem 0; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr { border-bottom: 1px solid #ddd; } small { color: #555; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 0.8rem; }
figure { margin: 0; } img { width: 100%; display: block; } figcaption { font-size: 0.85rem; }
</style></head><body>
<p class="notice">{{ report.notice }}</p>
{% if report.marks %}<p class="notice simulated">SIMULATED: trained on pictures that were made by a program.</p>
{% endif %}<h1>Localiser: {{ names }}</h1>
<p class="headline">{{ headline }}</p>
<h2>What held-out parts found</h2>
<p>Every view was judged by the part that saw nobody of its group. Intervals: 95&nbsp;%, patients as clusters.</p>
<table><tr><th>measure</th><th class="number">by view</th><th class="number">by patient</th></tr>
{% for name, words, share in rows if measures[name] %}<tr><td>{{ words }}</td>
<td class="number">{{ measures[name].views|interval(share) }}</td>
<td class="number">{{ measures[name].patients|interval(share) if measures[name].patients else "–" }}</td></tr>
{% endfor %}</table>
<p><small>Hit: {{ report.definitions.hit }}. Views without a proposal count as 0 and as missed; the least confidence,
{{ "%.3f"|format(report.least_confidence.value) }}, was chosen for the {{ report.least_confidence.rule }};
{{ report.least_confidence.note }}. Fixed box: {{ report.definitions.fixed_box }}.
{{ report.definitions.several_nodules|capitalize }}.</small></p>
{% for heading, words, strata in tables %}<h2>{{ heading }}</h2>
{% if words %}<p>{{ words }}</p>
{% endif %}<table><tr><th></th><th class="number">views</th><th class="number">patients</th>
<th class="number">IoU of outlines</th><th class="number">hit rate</th><th class="number">no proposal</th></tr>
{% for row in strata %}<tr><td>{{ row.stratum }}</td><td class="number">{{ row.views }}</td>
<td class="number">{{ row.patients }}</td>
<td class="number">{{ row.mask_iou.views|interval(False) if row.mask_iou else "–" }}</td>
<td class="number">{{ row.hit_rate.views|interval(True) }}</td>
<td class="number">{{ row.no_proposal.views|interval(True) }}</td></tr>
{% endfor %}</table>
{% endfor %}<h2>Confidence</h2>
<p>What another least confidence would give, on the same held-out predictions.</p>
<table><tr><th class="number">least confidence</th><th class="number">views with a proposal</th>
<th class="number">hit rate among them</th></tr>
{% for row in report.confidence %}<tr>
<td class="number">{{ "%.2f"|format(row.confidence) if row.confidence else "any" }}</td>
<td class="number">{{ "%.1f"|format(100 * row.coverage) }}&nbsp;%</td>
<td class="number">{{ "%.1f"|format(100 * row.hit_rate_among_proposed) }}&nbsp;%</td></tr>
{% endfor %}</table>
{% for heading, pictures in galleries %}<h2>{{ heading }}</h2>
<div class="pictures">{% for caption, source in pictures %}<figure><img alt="{{ caption }}" src="{{ source }}">
<figcaption>{{ caption }}</figcaption></figure>
{% endfor %}</div>
{% endfor %}<p><small>Blue: drawn. Orange, dashed: proposed. Only the scan area is shown, as it was scanned: the network
saw it with burned-in marks filled in.</small></p>
<h2>How</h2>
<ul>{% for one in report.cohorts %}<li>{{ one.name }}: {{ one.views }} views ({{ one.views_with_outline }} with an
outline) in {{ one.pictures }} pictures of {{ one.groups }} patients; licence: {{ one.licence }}; {{ one.citation }}
</li>{% endfor %}
<li>{{ how }}</li>
{% if report.left_out %}<li>{{ report.left_out|length }} views could not be read; report.json names each.</li>
{% endif %}</ul>
<h2>Limits</h2><ul>{% for limit in report.limits %}<li>{{ limit }}</li>{% endfor %}</ul>
</body></html>
"""


def write_localiser_page(
    path: Path,
    report: dict[str, Any],
    outcomes: pd.DataFrame,
    kept: pd.Series,
    views: Sequence[LocaliserView],
    localiser: Localiser,
) -> None:
    """Write the page: one self-contained file.

    Parameters
    ----------
    path : Path
        ``report.html``.
    report : dict
        Content of ``report.json``.
    outcomes, kept
        What held-out parts proposed, and which of it stands.
    views : sequence of LocaliserView
        To read the pictures shown.
    localiser : Localiser
        Proposes the regions shown again, by the parts that held each view out.
    """
    environment = Environment(autoescape=True, trim_blocks=True)
    environment.filters["interval"] = _interval
    names = ", ".join(cohort["name"] for cohort in report["cohorts"])
    page = environment.from_string(_PAGE).render(
        report=report, names=names, headline=_headline(report), measures=report["measures"], rows=_ROWS,
        tables=_tables(report), galleries=_galleries(outcomes, kept, views, localiser), how=_how(report),
    )  # fmt: skip
    write_text(path, page)


def _headline(report: dict[str, Any]) -> str:
    found = report["measures"]
    hit, fixed = found["hit_rate"]["views"], found["fixed_box"]["views"]
    words = f"Of {found['views']} views of {found['patients']} patients that its parts had not seen, "
    words += f"{_interval(hit, True)} were hit, against {_interval(fixed, True)} by one fixed box"
    if found["mask_iou"]:
        words += f"; mean IoU of the outlines {_interval(found['mask_iou']['views'], False)}"
    return words + "."


def _tables(report: dict[str, Any]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    nodules = "Where several are outlined, the one proposal is compared with each of them."
    found = [
        ("By size of the nodule", f"Thirds; size: {report['size']}.", report["by_size"]),
        ("By site", "", report["by_site"]),
        ("By number of outlined nodules in the picture", nodules, report["by_nodules"]),
        ("By part", "", report["by_fold"]),
    ]
    return [one for one in found if len(one[2]) > 1]


def _how(report: dict[str, Any]) -> str:
    settings = report["settings"]
    weights = settings["weights"]
    start = f"an encoder started from {weights}" if weights else "random weights"
    return (
        f"{settings['folds']} parts of {settings['network']} at {settings['size']} x {settings['size']} pixels, "
        f"{start}, {settings['epochs']} epochs of AdamW (rate {settings['rate']:g}, cosine, batches of "
        f"{settings['batch']}), Dice and cross-entropy loss; mirrored, scaled, shifted, cut and re-graded pictures; "
        f"{report['precision']}; seed {settings['seed']}. No epoch was chosen: the last one stands."
    )


def _interval(value: dict[str, Any], share: bool) -> str:
    estimate, low, high = value["estimate"], value["low"], value["high"]
    if estimate is None:
        return "–"
    if share:
        return f"{100 * estimate:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    return f"{estimate:.3f} ({low:.3f} to {high:.3f})"


def _galleries(
    outcomes: pd.DataFrame, kept: pd.Series, views: Sequence[LocaliserView], localiser: Localiser
) -> list[tuple[str, list[tuple[str, str]]]]:
    by_name = {(view.cohort, view.view_id): view for view in views}
    overlap = outcomes["mask_iou"].fillna(outcomes["box_iou"]).sort_values(kind="stable")
    order, refused = overlap[kept].index, overlap[~kept].index
    middle = max(0, (len(order) - EACH) // 2)
    # Refused ones are shown from the least to the most overlap: good ones among them are what caution costs.
    spread = np.unique(np.linspace(0, max(len(refused) - 1, 0), min(EACH, len(refused))).round().astype(np.intp))
    chosen = {
        f"Best {EACH} proposals by IoU": order[::-1][:EACH],
        f"Middling {EACH} proposals by IoU": order[middle : middle + EACH],
        f"Worst {EACH} proposals by IoU: confident and wrong": order[:EACH],
        f"Not proposed: {len(refused)} views, from the least to the most overlap": refused[spread],
    }
    return [
        (name, [_figure(outcomes.loc[row], bool(kept[row]), by_name, localiser) for row in rows])
        for name, rows in chosen.items()
        if len(rows)
    ]


def _figure(
    row: pd.Series, proposed: bool, by_name: dict[tuple[int, str], LocaliserView], localiser: Localiser
) -> tuple[str, str]:
    view = by_name[int(row["cohort"]), str(row["view_id"])]
    clip = view.clip()
    proposal = localiser.propose(clip, parts=[int(row["fold"])], least=0.0)
    picture = np.ascontiguousarray(np.broadcast_to(clip.frames[0][..., ::-1], (*clip.frames.shape[1:3], 3)))
    lesion = dataclasses.replace(clip, lesion=view.lesion()).lesion
    assert lesion is not None
    mask = filled(lesion.boxes()[0], picture.shape[:2]) if lesion.mask is None else lesion.mask[0]
    source = encoded(picture, view.region, mask, None if proposal is None else proposal.mask)
    words = f"{view.view_id}: "
    if not row["found"]:
        return words + "nothing found", source
    overlap = f"IoU {row['mask_iou']:.2f}" if np.isfinite(row["mask_iou"]) else f"box IoU {row['box_iou']:.2f}"
    said = ("a hit" if row["hit"] else "missed") if proposed else "below the least confidence"
    return words + f"{overlap}, {said}, confidence {row['confidence']:.2f}", source


def filled(box: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a box as a mask [H, W]."""
    mask = np.zeros(shape, np.bool_)
    x0, y0, x1, y1 = (round(float(value)) for value in box)
    mask[max(y0, 0) : y1, max(x0, 0) : x1] = True
    return mask


def encoded(picture: NDArray[np.uint8], area: Box, drawn: NDArray[np.bool_], proposed: NDArray[np.bool_] | None) -> str:
    """Return the scan area with both outlines as a data address; what is printed around it stays outside."""
    x0, y0, x1, y1 = (max(0, round(value)) for value in area)
    part = picture[y0:y1, x0:x1]
    factor = _WIDTH / part.shape[1]
    size = (_WIDTH, max(1, round(part.shape[0] * factor)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    small = np.ascontiguousarray(small)
    cv2.drawContours(small, _outlines(drawn[y0:y1, x0:x1], size), -1, _DRAWN, 2, cv2.LINE_AA)
    if proposed is not None:
        for contour in _outlines(proposed[y0:y1, x0:x1], size):
            for start in range(0, len(contour), 2 * _DASH):
                cv2.polylines(small, [contour[start : start + _DASH + 1]], False, _PROPOSED, 2, cv2.LINE_AA)
    _, content = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])
    return "data:image/jpeg;base64," + base64.b64encode(content.tobytes()).decode("ascii")


def _outlines(mask: NDArray[np.bool_], size: tuple[int, int]) -> list[NDArray[np.int32]]:
    scaled = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(scaled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [np.asarray(contour, np.int32) for contour in contours]
