"""Everything that Isthmus raises on purpose.

::

    IsthmusError                 one clear line: what, where, expected, next
    ├── InputError               something given to us is wrong
    │   ├── TableError           a CSV or Parquet table: all of its bad rows at once
    │   ├── PictureError         a picture or clip cannot be read
    │   │   └── LimitError       it is larger than the limits allow
    │   ├── CohortError          the cohort's tables contradict each other, or lack what is asked for
    │   ├── ProtocolError        a protocol file, a profile or a ``--set``
    │   ├── RegionMissing        a lesion network was given a picture without a region
    │   └── BundleError          a model folder is incomplete, altered or too new
    ├── WeightsError             initial weights are absent or not the expected file
    ├── FitError                 a fit failed
    ├── FrozenError              a test or external set was asked for too early, or a frozen choice was changed
    └── OutputError              the destination exists, is read-only, or the disk is full

Commands print ``str(error)`` without a traceback and exit 1.
"""

import difflib
from collections.abc import Iterable


class IsthmusError(Exception):
    """Base of every error that Isthmus raises on purpose.

    Parameters
    ----------
    what : str
        What is wrong, as a sentence without its full stop.
    where : str, optional
        File, row, tag or key.
    expected : str, optional
        What would have been right.
    hint : str, optional
        The next thing to do.

    Examples
    --------
    >>> print(IsthmusError("no column 'label'", where="predictions.csv", expected="arm, split, unit_id, label"))
    no column 'label' (predictions.csv); expected arm, split, unit_id, label
    """

    def __init__(
        self, what: str, *, where: str | None = None, expected: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.expected = expected
        self.hint = hint

    def __str__(self) -> str:
        text = self.what
        if self.where:
            text += f" ({self.where})"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.hint:
            text += f". Next: {self.hint}"
        return text

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders when fits run in workers; keyword-only arguments need help there.
        return (_rebuild, (type(self), self.what, self.where, self.expected, self.hint))


def _rebuild(
    kind: type[IsthmusError], what: str, where: str | None, expected: str | None, hint: str | None
) -> IsthmusError:
    return kind(what, where=where, expected=expected, hint=hint)


class InputError(IsthmusError):
    """Something given to us is wrong."""


class TableError(InputError):
    """A table does not keep its contract; the message lists every bad row."""


class PictureError(InputError):
    """A picture or clip cannot be read."""


class LimitError(PictureError):
    """A file is larger than the limits allow."""


class CohortError(InputError):
    """A cohort's tables contradict each other, or lack what is asked for."""


class ProtocolError(InputError):
    """A protocol file, a profile or a ``--set`` is wrong."""


class RegionMissing(InputError):  # noqa: N818  (a refusal, named as what is missing)
    """A network trained on lesion crops was given a picture without a region."""


class BundleError(InputError):
    """A model folder is incomplete, altered or of a newer major version."""


class WeightsError(IsthmusError):
    """Initial weights are absent or are not the expected file."""


class FitError(IsthmusError):
    """A fit failed."""


class FrozenError(IsthmusError):
    """A test or external set was asked for too early, or a frozen choice was changed."""


class OutputError(IsthmusError):
    """The destination exists, is read-only, or its disk is full."""


def did_you_mean(word: str, known: Iterable[str], alike: float = 0.5) -> str | None:
    """Return the question with the nearest of the known words, for a hint; None where none is near.

    ``alike``, from 0 to 1, is what difflib's ratio must reach.

    Examples
    --------
    >>> did_you_mean("bmod", ["bmode", "ceus"])
    "did you mean 'bmode'?"
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=alike)
    return f"did you mean {close[0]!r}?" if close else None
