"""Clips with fewer frames than an arm wants: counted, told while the run goes on, and a warning of the report."""

from types import SimpleNamespace

import numpy as np
import pytest

from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.short_clips import short_clip_checks, short_clip_lines, short_clips


def store(*frames):
    return SimpleNamespace(frame_indices=np.array(frames))


@pytest.fixture(scope="module")
def protocol():
    key_frames = "arms.plain.prepare.frames={count: 3, stored: 3, pick: key_frames, every_s: 2, clear: 15}"
    return resolve_protocol("qian2025", "smoke", [key_frames])


def test_they_are_counted_and_a_run_without_any_says_nothing(protocol):
    whole = store([0, 4, 9], [1, 2, 3])
    assert short_clips({"attention": whole, "still": store([3], [0])}) == {}
    assert short_clip_checks({}, protocol) == []
    found = short_clips({"attention": whole, "plain": store([0, 0, 4], [0, 2, 4], [7, 7, 7])})
    assert found == {"plain": {"repeated": 2, "clips": 3, "fewest": 1}}


def test_the_report_warns_in_words(protocol):
    found = {"plain": {"repeated": 2, "clips": 3, "fewest": 1}}
    (check,) = short_clip_checks({"short_clips": found}, protocol)
    assert check.status == "warning"
    assert "2 of 3 clips have fewer than 3 key frames to give, the shortest 1" in check.sentence
    assert check.sentence.startswith(protocol.title_of("plain"))
    assert short_clip_lines(found, protocol) == [check.sentence.rstrip(".")]
