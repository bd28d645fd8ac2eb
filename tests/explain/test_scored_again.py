"""Heat maps stand beside the scores of their own inputs, whatever can be read the second time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.errors import InputError, PictureError
from isthmus.explain.prediction import predict_files
from isthmus.explain.scored_again import scored_again
from isthmus.inference.pictures import Picture, read_picture
from isthmus.inference.prediction import Prediction, Predictions
from tests.inference.small_models import BOX, bundle, picture


def scored(*numbers: int) -> Predictions:
    return Predictions(
        [
            Prediction((f"{one}.png",), {}, 0.5, False, None, "", None, (0.5, 0.5), "drawn", number=one)
            for one in numbers
        ]
    )


def test_inputs_without_a_score_are_left_out_and_progress_reaches_the_end() -> None:
    done: list[tuple[int, int]] = []
    read: list[str] = []
    found = [
        (number, what, prediction.number)
        for number, what, prediction in scored_again(
            ["a", "b", "c", "d"],
            lambda one: read.append(one) or one.upper(),  # type: ignore[func-returns-value]
            scored(1, 3),
            lambda _, number, total: done.append((number, total)),
        )
    ]
    assert found == [(1, "A", 1), (3, "C", 3)]
    assert read == ["a", "c"]
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("numbers", [(0,), (1, 1), (1, 4)])
def test_predictions_of_other_inputs_are_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"were given for 3 inputs; expected one for each input"):
        list(scored_again(["a", "b", "c"], str.upper, scored(*numbers)))


@pytest.fixture
def study(tmp_path: Path) -> tuple[Path, list[Path]]:
    """Return a model and three pictures that it scores differently."""
    return bundle(tmp_path / "model"), [picture(tmp_path / f"{name}.png", seed) for seed, name in enumerate("abc")]


def failing(monkeypatch: pytest.MonkeyPatch, time: int) -> None:
    """Let the middle picture fail the first or the second time that it is read; every picture gets its box."""
    read: Callable[..., object] = read_picture
    times: list[str] = []

    def once(path: Path, *given: object, **more: object) -> object:
        times.append(path.name)
        if path.name == "b.png" and times.count("b.png") == time:
            raise PictureError("the share is away", where=path.name)
        return read(path, *given, **{**more, "box": BOX})

    monkeypatch.setattr("isthmus.inference.predictor.read_picture", once)


def test_a_picture_that_fails_the_second_time_only_is_said_and_shifts_no_heat_map(
    study: tuple[Path, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, tuple[str, ...]]] = []

    def draw(_: object, shown: Picture, said: Prediction, *names: object) -> list[Path]:
        drawn.append((shown.source, said.sources))
        return []

    monkeypatch.setattr("isthmus.explain.prediction.draw_prediction", draw)
    failing(monkeypatch, 2)
    with pytest.raises(InputError, match=r"b.png was scored, and could not be read again.*the share is away"):
        predict_files(*study, tmp_path / "out", explain=True, device="cpu")
    assert drawn == [("a.png", ("a.png",))]
    assert not (tmp_path / "out").exists()


def test_a_picture_that_fails_the_first_time_only_shifts_no_heat_map(
    study: tuple[Path, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, 1)
    done = predict_files(*study, tmp_path / "out", explain=True, device="cpu")
    assert [failure.source for failure in done.failed] == ["b.png"]
    assert [one.number for one in done.predictions] == [1, 3]
    assert [path.name for path in done.overlays] == ["001_a.png", "003_c.png"]
    alone = predict_files(study[0], study[1][2:], tmp_path / "alone", box="40,30,100,80", explain=True, device="cpu")
    assert done.overlays[1].read_bytes() == alone.overlays[0].read_bytes()
