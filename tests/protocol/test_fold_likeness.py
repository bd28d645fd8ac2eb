"""Which views of a fold are looked at, to know what its training pictures were like."""

from isthmus.protocol.fold_likeness import evenly


def test_views_are_taken_evenly() -> None:
    assert evenly([str(n) for n in range(9)], 3) == ["0", "4", "8"]
    assert evenly(["a"], 3) == ["a"]
