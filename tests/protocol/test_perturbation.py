import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.protocol.perturbation import PERTURBATIONS, Perturbation

BOX = (100.0, 80.0, 160.0, 120.0)


def _centre(box):
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def test_a_shift_moves_the_centre_by_its_share_of_the_sides_and_keeps_the_size():
    changed = Perturbation("moved", shift=0.2).apply(BOX, "view 1")
    (x, y), (x0, y0) = _centre(changed), _centre(BOX)
    assert math.hypot((x - x0) / 60, (y - y0) / 40) == pytest.approx(0.2)
    assert changed[2] - changed[0] == pytest.approx(60)
    assert changed[3] - changed[1] == pytest.approx(40)


def test_a_view_is_always_moved_in_the_same_direction_and_another_view_in_another():
    near, far = (Perturbation("moved", shift=share).apply(BOX, "view 1") for share in (0.1, 0.2))
    assert far[0] - BOX[0] == pytest.approx(2 * (near[0] - BOX[0]))
    assert Perturbation("moved", shift=0.1).apply(BOX, "view 2") != near


def test_a_scale_keeps_the_centre():
    assert Perturbation("larger", scale=1.2).apply(BOX, "v") == pytest.approx((94.0, 76.0, 166.0, 124.0))


@given(
    st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(1, 200), st.floats(1, 200)),
    st.sampled_from(PERTURBATIONS),
    st.text(max_size=8),
)
def test_a_changed_box_holds_pixels_and_stays_inside_the_scan_area(drawn, change, view):
    x, y, width, height = drawn
    inside = (0.0, 0.0, 500.0, 500.0)
    x0, y0, x1, y1 = change.apply((x, y, x + width, y + height), view, inside)
    assert 0 <= x0 < x1 <= 500
    assert 0 <= y0 < y1 <= 500
