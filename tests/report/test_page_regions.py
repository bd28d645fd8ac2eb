from isthmus.report.context import ReportContext
from isthmus.report.page_regions import region_parts


def _context(flips, low):
    moved = [
        {"change": "moved by 10 %", "n": 40, "flips": {"estimate": flips, "low": low, "high": 0.5}},
        {
            "change": "20 % larger",
            "n": 40,
            "flips": {"estimate": 0.3, "low": 0.2, "high": 0.4},
            "difference": {"difference": -0.03, "low": -0.08, "high": 0.02},
        },
    ]
    evidence = {"unit": "nodule", "regions": {"moved": {"a": moved}, "sources": []}}
    return ReportContext(title="t", evidence=evidence)


def test_the_sentence_says_how_many_calls_a_moved_box_changes_and_what_changes_most():
    (sentence,) = region_parts(_context(0.2, 0.12))["regions"]["sentences"]
    assert "a box moved by 10 % changes 20\u202f% (12–50) of its calls" in sentence
    assert "most, 30\u202f% (20–40), change when the box is drawn 20 % larger" in sentence
    assert "−0.03 (−0.08 to 0.02)" in sentence


def test_where_no_call_changes_it_says_so_and_how_many_may():
    context = _context(0.0, 0.0)
    (moved,) = context.evidence["regions"]["moved"].values()
    moved[1]["flips"] = {"estimate": 0.0, "low": 0.0, "high": 0.09}
    moved[0]["flips"] = {"estimate": 0.0, "low": 0.0, "high": 0.09}
    (sentence,) = region_parts(context)["regions"]["sentences"]
    assert "none of its 40 calls changes" in sentence
    assert "up to 9\u202f% of others may" in sentence


def test_the_warning_needs_an_interval_above_a_tenth_of_the_calls():
    warned = region_parts(_context(0.2, 0.12))["regions"]["sentences"][0]
    unsure = region_parts(_context(0.2, 0.08))["regions"]["sentences"][0]
    assert "take a call near the threshold" in warned
    assert "take a call near the threshold" not in unsure


def test_without_lesion_crops_there_is_no_section():
    assert region_parts(ReportContext(title="t", evidence={"unit": "nodule"})) == {"regions": {}}
