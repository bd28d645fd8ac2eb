"""Scored inputs read a second time, for their heat maps: each beside its own prediction, by its number."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from isthmus.errors import InputError
from isthmus.inference.prediction import Prediction, Predictions
from isthmus.progress import Progress

Given = TypeVar("Given")
Read = TypeVar("Read")


def scored_again(
    inputs: Sequence[Given],
    read: Callable[[Given], Read],
    predictions: Predictions,
    progress: Progress | None = None,
) -> Iterator[tuple[int, Read, Prediction]]:
    """Read each input again that has a prediction; the others are listed already among the failures.

    Parameters
    ----------
    inputs : sequence
        All that were given.
    read : callable
        Reads one of them.
    predictions : Predictions
        Of those that could be scored; each one's ``number`` is its place among the inputs.
    progress : callable, optional
        Called with what, done, total: after each input, whether it has a prediction or not.

    Yields
    ------
    int, what was read, Prediction
        The number, counted from 1.

    Raises
    ------
    InputError
        When a prediction is of none of these inputs, or two are of one; or when an input that was scored cannot be read
        any more: a heat map would be missing, or stand beside another's score.
    """
    own = {prediction.number: prediction for prediction in predictions}
    if len(own) < len(predictions) or not own.keys() <= set(range(1, len(inputs) + 1)):
        raise InputError(
            f"predictions of the inputs {', '.join(str(one.number) for one in predictions)} were given for "
            f"{len(inputs)} inputs",
            expected="one for each input at most, as the model scored them",
        )
    for number, given in enumerate(inputs, start=1):
        if number in own:
            try:
                found = read(given)
            except InputError as error:
                raise InputError(
                    f"{'; '.join(own[number].sources)} was scored, and could not be read again for its heat map: "
                    f"{error.what}",
                    where=error.where,
                    expected=error.expected,
                    hint="see that its files stay where they are, then predict again",
                ) from error
            yield number, found, own[number]
        if progress is not None:
            progress("heat maps", number, len(inputs))
