"""The page of a perfusion measurement, in words and tables, for few clips, many and none."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from isthmus.cohort.perfusion import CohortPerfusion, ViewPerfusion
from isthmus.imaging.intensity_curves import IntensityCurves
from isthmus.imaging.lesion_regions import REGIONS
from isthmus.imaging.perfusion_map import PerfusionMap
from isthmus.report.figure_style import style
from isthmus.report.figures_perfusion import EACH, draw_curves
from isthmus.report.page_measurement import MOST_DRAWN, drawn_views, summary_facts
from isthmus.report.page_perfusion import perfusion_sentences, render_perfusion
from isthmus.statistics.bolus import BolusFit, fit_bolus
from isthmus.statistics.perfusion_features import FEATURES, perfusion_features

TIMES = np.arange(0, 60, 0.5)
FIT = BolusFit(0.0, 0.1, 5.0, 9.0, 0.6, 1.0)
DARK = dict.fromkeys(REGIONS, 0.0)
COHORT = SimpleNamespace(name="bubbles <b>", simulated=False)


def view(number, share=0.5, fit=FIT):
    means = dict.fromkeys(REGIONS, FIT.curve(TIMES))
    features = perfusion_features(dict.fromkeys(REGIONS, fit), dict.fromkeys(REGIONS, 0.02), 0.1, share, DARK)
    lesion = np.hypot(*(np.indices((20, 20)) - 9.5)) < 5
    seen = PerfusionMap(np.where(lesion, 0.02, 0.05).astype(np.float32), lesion, ~lesion)
    curves = IntensityCurves(TIMES, means, means, DARK, 0.1, share, 55.0, "mask", seen)
    return ViewPerfusion(f"V{number:03}", f"N{number:03}", curves, dict.fromkeys(REGIONS, fit), features)


def page(*views, **refused):
    return render_perfusion(COHORT, CohortPerfusion(views, refused), [], 60.0)


def test_all_of_few_clips_are_drawn_and_an_even_sample_of_many():
    few = CohortPerfusion(tuple(view(number) for number in range(5)), {})
    assert drawn_views(few) == list(few.views)
    many = CohortPerfusion(tuple(view(number) for number in range(100)), {})
    drawn = drawn_views(many)
    assert len(drawn) == MOST_DRAWN
    assert (drawn[0], drawn[-1]) == (many.views[0], many.views[-1])
    assert "evenly chosen" in perfusion_sentences(many)[-1]


def test_no_mark_of_a_simulation_on_real_clips_and_names_are_text():
    text = page(view(1))
    assert "SIMULATED" not in text
    assert "bubbles &lt;b&gt;" in text
    assert "D = 55 dB" in text


def test_reasons_are_counted_over_clips_whatever_their_percentages():
    text = page(view(1, share=0.05), view(2, share=0.07))
    row = r"less than 10% of the surroundings enhance as gland</th><td[^>]*>2</td>"
    assert re.search(row, text)
    assert "only 5%" not in text


def test_a_cohort_of_which_nothing_could_be_measured_has_a_page_too():
    nothing = CohortPerfusion((), {"V1": ("N1", "it is a still")})
    assert perfusion_sentences(nothing) == [
        "0 of 1 contrast-enhanced clip could be measured.",
        "1 clip could not; each is listed below with the reason.",
    ]
    assert summary_facts(nothing, nothing.table, FEATURES)["medians"]["ring_db"] is None
    text = page(V1=("N1", "it is a still"))
    assert "it is a still" in text
    assert "<h2>Features</h2>" not in text


@pytest.mark.parametrize("clips", [1, EACH])
def test_a_figure_has_a_field_a_clip_and_a_text_for_those_who_cannot_see_it(clips):
    nothing = fit_bolus(TIMES, np.full(len(TIMES), 0.1))
    views = [view(number, share=0.05) for number in range(clips - 1)] + [view(99, fit=nothing)]
    views[0] = replace(views[0], view_id="$first$")
    with style():
        figure, title, alternative = draw_curves(views, 1, 2)
        figure.canvas.draw()
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left").split(" ·")[0] for axes in shown] == [one.view_id for one in views]
    assert "1 of 2" in title
    assert "$first$" in alternative
