"""``check.json`` and ``check.html``: what a cohort check found, with pictures to look at; one self-contained page."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment

from isthmus.cohort.check_pictures import mark_crops, side_by_side, thumbnail
from isthmus.cohort.check_report import CheckedView, CheckReport, SamePicture
from isthmus.cohort.shortcuts import Rate
from isthmus.files import write_json, write_text
from isthmus.imaging.mark_kinds import KINDS
from isthmus.manifest import DISCLAIMER

THUMBNAILS: Final = 36
PAIRS: Final = 24
CROPS: Final = 10
_LISTED: Final = 200
_PLACES: Final = 8

_STYLE: Final = """
body { font: 16px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; color: #1a1a1a; }
h1 { font-size: 1.5rem; margin: 0.3rem 0; } h2 { font-size: 1.15rem; margin-top: 1.8rem; }
h3 { font-size: 1rem; margin: 1rem 0 0.3rem; }
.notice { background: #f2f2f2; padding: 0.3rem 0.7rem; } .simulated { background: #ffe9b3; font-weight: 600; }
.verdict { font-size: 1.15rem; border-left: 0.4rem solid #0072b2; padding: 0.3rem 0.8rem; }
.verdict.failed { border-color: #d55e00; }
table { border-collapse: collapse; } th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; vertical-align: top; }
td { overflow-wrap: anywhere; } td.whole { overflow-wrap: normal; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.number { white-space: normal; max-width: 11rem; }
tr { border-bottom: 1px solid #ddd; } tr.all td { border-top: 1px solid #999; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 0.8rem; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(30rem, 1fr)); gap: 1.2rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0.3rem; } .crops { display: flex; flex-wrap: wrap; }
.crops figure { width: 6rem; margin: 0 0.4rem 0.4rem 0; } .crops figcaption { overflow-wrap: anywhere; }
figure { margin: 0; break-inside: avoid; } img { width: 100%; display: block; } figcaption { font-size: 0.85rem; }
.error { color: #a63c00; font-weight: 600; } .warning { color: #7a5c00; font-weight: 600; }
@media print { body { max-width: none; font-size: 10pt; } h2 { break-after: avoid; } }
"""

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Cohort check: {{ report.name }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{{ style }}</style></head><body>
<p class="notice">{{ notice }}</p>
{% if report.simulated %}<p class="notice simulated">SIMULATED: these pictures were made by a program.</p>{% endif %}
<h1>Cohort check: {{ report.name or "not readable" }}</h1>
<p class="verdict{{ ' failed' if report.failed }}">{{ "Failed" if report.failed else "Passed" }}:
{{ report.count("error") }} errors, {{ report.count("warning") }} warnings, {{ report.count("note") }} notes.</p>
{% if report.counts %}<table><tr>{% for name in report.counts %}<th class="number">{{ name }}</th>{% endfor %}</tr>
<tr>{% for count in report.counts.values() %}<td class="number">{{ count }}</td>{% endfor %}</tr></table>{% endif %}

<h2>Findings</h2>
{% if not report.findings %}<p>None.</p>{% else %}
<table><tr><th>severity</th><th>subject</th><th class="number">times</th><th>what</th><th>where</th></tr>
{% for finding, places in kinds[:listed] %}<tr><td class="whole {{ finding.severity }}">{{ finding.severity }}</td>
<td class="whole">{{ finding.subject }}</td><td class="number">{{ places|length }}</td><td>{{ finding.message }}</td>
<td>{{ places[:few]|join(", ") }}{% if places|length > few %} and {{ places|length - few }} more{% endif %}</td>
</tr>{% endfor %}</table>
<p>{% if kinds|length > listed %}{{ kinds|length - listed }} more kinds are not shown. {% endif %}
Every single place is in check.json.</p>
{% endif %}

{% if report.unreadable %}<h2>Unreadable files</h2>
<p>{{ report.unreadable|length }} could not be read; views of these are in no count below that needs a picture:</p>
<ul>{% for name in report.unreadable[:listed] %}<li>{{ name }}</li>{% endfor %}</ul>
{% if report.unreadable|length > listed %}<p>and {{ report.unreadable|length - listed }} more, in check.json.</p>
{% endif %}{% endif %}

{% if report.same %}<h2>Pictures that show the same</h2>
<p>{{ report.same|length }} pairs: {{ told("identical") }} identical, {{ told("certain") }} changed but certain,
{{ told("probable") }} probable (one scan, for example two frames of a sweep). {{ leaks }} of them stand in different
groups, {{ contradicting }} have contradicting labels. Left: the first. Right: the second, laid on the first.
{% if report.same|length > pairs|length %}{{ pairs|length }} are shown, the gravest first; all are in check.json.
{% endif %}</p>
<div class="pairs">{% for pair, first, second in pairs %}<figure><div class="pair">
<img alt="{{ pair.first }}" src="{{ first }}"><img alt="{{ pair.second }}" src="{{ second }}"></div>
<figcaption><span class="{{ pair.severity }}">{{ pair.severity }}</span>, {{ pair.certainty }}:
{{ pair.first }} and {{ pair.second }}{% if pair.words != pair.certainty %}: {{ pair.words }}{% endif %}.
Correlation of fine texture {{ "%.2f"|format(pair.correlation) }}.
{{ "One group" if pair.severity == "note" else "Groups" }}: {{ pair.groups|map("join", "+")|unique|join(" and ") }}.
{% if pair.contradiction %}<strong>Contradicting labels: {{ pair.contradiction }}.</strong>{% endif %}
{% if pair.other_lesion %}Labels differ, outlines too: {{ pair.other_lesion }}.{% endif %}
</figcaption></figure>{% endfor %}</div>{% endif %}

{% if report.balance %}<h2>Labels by site</h2>
<table><tr><th>target</th><th>site</th><th>class</th><th class="number">nodules</th><th class="number">groups</th>
<th class="number">views</th><th class="number">of them with marks a lesion network sees</th></tr>
{% for row in report.balance %}<tr><td>{{ row.target }}</td><td>{{ row.site }}</td><td>{{ row["class"] }}</td>
<td class="number">{{ row.nodules }}</td><td class="number">{{ row.groups }}</td><td class="number">{{ row.views }}</td>
<td class="number">{{ row.views_with_marks }}</td></tr>{% endfor %}</table>{% endif %}

{% if marks %}<h2>Marks burned into the scan area</h2>
<p>What a mark is, is told by its shape; where that is not certain it counts as a mark of no certain kind. Words of
several letters are not shown: they may be names.</p>
{% for kind, count in marks %}<h3>{{ words[kind] }}: {{ count.marks }} in {{ count.views }} views</h3>
<div class="crops">{% for view, source in crops.get(kind, []) %}<figure><img alt="{{ kind }} in view {{ view }}"
src="{{ source }}"><figcaption>{{ view }}</figcaption></figure>{% endfor %}</div>{% endfor %}{% endif %}

{% if report.rates %}<h2>Marks and regions by class</h2>
<p>What is more frequent in one class can be learned instead of the tissue. Intervals: 95 %, Wilson, clustered by group;
p: cluster-robust test of two proportions, or Fisher's exact test of groups where one side has none or all, adjusted by
Holm over all lines of a target.</p>
{% for table in rates %}<h3>{{ table.target }}</h3>
<table><tr><th>what</th><th>site</th>{% for label in table.labels %}<th class="number">{{ label }}: views with it of
all, 95 % interval</th>{% endfor %}<th class="number">adjusted p</th></tr>
{% for row in table.rows[:listed] %}<tr class="{{ '' if row.site else 'all' }}">
<td>{{ "" if row.site else row.what }}</td>
<td class="whole">{{ row.site or "all" }}</td>{% for cell in row.cells %}<td class="number">{{ cell }}</td>{% endfor %}
<td class="number">{{ row.p }}</td></tr>{% endfor %}</table>{% endfor %}{% endif %}

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
    folder = Path(cohort_folder)
    content = report.to_json()
    page = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    write_json(destination / "check.json", content)
    write_text(
        destination / "check.html",
        page.render(
            report=report,
            style=_STYLE,
            kinds=report.grouped(),
            pictures=[(view, source) for view in _choose(report.views) if (source := thumbnail(folder, view))],
            pairs=_pairs(report, folder),
            told=lambda certainty: sum(one.certainty == certainty for one in report.same),
            leaks=sum(one.severity != "note" and _several(one) for one in report.same),
            contradicting=sum(bool(one.contradiction) for one in report.same),
            marks=[(kind, count) for kind, count in content["marks"].items() if count["marks"]],
            crops=mark_crops(folder, report.views, CROPS),
            words=KINDS,
            rates=_rate_tables(report),
            notice=DISCLAIMER,
            listed=_LISTED,
            few=_PLACES,
        ),
    )


def _several(one: SamePicture) -> bool:
    return len({*one.groups[0], *one.groups[1]}) > 1


def _pairs(report: CheckReport, folder: Path) -> list[tuple[SamePicture, str, str]]:
    shown = []
    for one in report.same[:PAIRS]:
        first, second = side_by_side(folder, one, report.views)
        if first:
            shown.append((one, first, second))
    return shown


def _rate_tables(report: CheckReport) -> list[dict[str, Any]]:
    """Return one table a target: a row for each thing and site, a cell for each class."""
    tables = []
    for target in dict.fromkeys(rate.target for rate in report.rates):
        mine = {(rate.what, rate.site, rate.label): rate for rate in report.rates if rate.target == target}
        labels = list(dict.fromkeys(label for _, _, label in mine))
        rows = []
        for what, site in dict.fromkeys((what, site) for what, site, _ in mine):
            cells = [_cell(mine.get((what, site, label))) for label in labels]
            rows.append({"what": what, "site": site, "cells": cells, "p": "" if site else _p(report, target, what)})
        tables.append({"target": target, "labels": labels, "rows": rows})
    return tables


def _cell(rate: Rate | None) -> str:
    if rate is None:
        return "no view"
    low, high = (f"{100 * value:.0f}" for value in (rate.interval.low, rate.interval.high))
    return f"{rate.count} of {rate.views}: {100 * rate.interval.estimate:.0f} % ({low} to {high})"


def _p(report: CheckReport, target: str, what: str) -> str:
    """Return the smallest adjusted p of a thing: of two classes there is one, of more one a class against the rest."""
    found = [one.p_adjusted for one in report.associations if (one.target, one.what) == (target, what)]
    known = [p for p in found if p is not None]
    return "" if not known else "< 0.001" if min(known) < 0.001 else f"{min(known):.3f}"


def _choose(views: list[CheckedView]) -> list[CheckedView]:
    """Return the views to show: those with findings, then those with text, then an even sample of the others."""
    first = sorted((view for view in views if view.marked or view.text), key=lambda view: not view.marked)
    others = [view for view in views if not (view.marked or view.text)]
    # A quarter of the places stays for views without findings, so that the ordinary is seen too.
    shown = first[: max(THUMBNAILS * 3 // 4, THUMBNAILS - len(others))]
    places = THUMBNAILS - len(shown)
    step = max(1, len(others) // places) if places else 1
    return shown + others[::step][:places]
