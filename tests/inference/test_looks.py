"""A nodule's views of several modalities joined into looks."""

from hypothesis import given
from hypothesis import strategies as st

from isthmus.inference.looks import Pairable, pair_up

PICTURES = st.lists(
    st.tuples(st.sampled_from([None, "a1", "a2"]), st.sampled_from([None, "sagittal", "transverse"])), max_size=4
)


@given(st.dictionaries(st.sampled_from(["bmode", "smi", "swe"]), PICTURES, min_size=1))
def test_every_view_is_in_a_look_and_every_look_has_all_that_the_nodule_has(
    said: dict[str, list[tuple[str | None, str | None]]],
) -> None:
    views = {name: [Pairable(f"{name}{n}", *one) for n, one in enumerate(own)] for name, own in said.items()}
    looks = pair_up(views)
    there = {name for name, own in views.items() if own}
    assert all(set(look) == there for look in looks)
    assert {view for look in looks for view in look.values()} == {p.view_id for own in views.values() for p in own}
    assert len({tuple(sorted(look.items())) for look in looks}) == len(looks)


def test_the_same_acquisition_comes_first_then_the_plane_then_each_in_turn() -> None:
    views = {
        "bmode": [Pairable("b1", "a1", "sagittal"), Pairable("b2", None, "transverse"), Pairable("b3"), Pairable("b4")],
        "smi": [Pairable("s1", None, "transverse"), Pairable("s2", "a1", "transverse")],
        "swe": [],
    }
    assert pair_up(views) == [
        {"bmode": "b1", "smi": "s2"},
        {"bmode": "b2", "smi": "s1"},
        {"bmode": "b3", "smi": "s1"},
        {"bmode": "b4", "smi": "s2"},
    ]
