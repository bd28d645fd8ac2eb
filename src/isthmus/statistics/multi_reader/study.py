"""Who read which case under which condition, and the fully crossed part of it that can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_binary, as_groups, as_scores


@dataclass(frozen=True, eq=False)
class ReaderStudy:
    """Scores of readers x conditions x cases; NaN where a reader did not read a case under a condition.

    Parameters
    ----------
    scores : ndarray [readers, conditions, cases]
        Higher speaks for positive; 0 and 1 where readers only call.
    truth : ndarray of bool [cases]
    groups : ndarray of int [cases]
        Patient (or linked group) of each case, as codes 0..G-1.
    readers, conditions, cases : tuple of str
        Names along the axes.

    Examples
    --------
    >>> study = ReaderStudy.from_rows(
    ...     score=[1, 3, 2, 5], reader=["a", "a", "b", "b"], condition=["unaided"] * 4,
    ...     case=["x", "y", "x", "y"], truth=[0, 1, 0, 1])
    >>> study.scores.shape
    (2, 1, 2)
    """

    scores: FloatArray
    truth: BoolArray
    groups: IntArray
    readers: tuple[str, ...]
    conditions: tuple[str, ...]
    cases: tuple[str, ...]

    def __post_init__(self) -> None:
        expected = (len(self.readers), len(self.conditions), len(self.cases))
        if self.scores.shape != expected:
            raise ValueError(f"scores have shape {self.scores.shape} where {expected} was expected")
        if np.isinf(self.scores).any():
            raise ValueError("a score is infinite")
        if self.truth.shape != expected[2:] or self.groups.shape != expected[2:]:
            raise ValueError("truth and groups need one value for each case")
        for names, what in ((self.readers, "readers"), (self.conditions, "conditions"), (self.cases, "cases")):
            if len(set(names)) != len(names):
                raise ValueError(f"two {what} have the same name")

    @classmethod
    def from_rows(
        cls,
        score: ArrayLike,
        reader: ArrayLike,
        condition: ArrayLike,
        case: ArrayLike,
        truth: ArrayLike,
        group: ArrayLike | None = None,
    ) -> "ReaderStudy":
        """Return the study of a table with one row a reading; a case that was not read has no row.

        Parameters
        ----------
        score : array_like [N]
            Finite.
        reader, condition, case : array_like [N]
            Names. Conditions keep the order in which they first stand; readers and cases are sorted.
        truth : array_like of bool [N]
            Of the row's case.
        group : array_like [N], optional
            Of the row's case; None: every case is a group.

        Raises
        ------
        ValueError
            For rows of other lengths, a score that is not finite, a case with two truths or groups, or a case that a
            reader read twice under one condition.
        """
        names = [np.asarray(values).astype(str) for values in (reader, condition, case)]
        length = np.asarray(score).size
        values = as_scores(score, length, "score")[0]
        row_truth = as_binary(truth, "truth", length)
        if any(array.shape != (length,) for array in names):
            raise ValueError(f"reader, condition and case need {length} values each, as many as scores")
        (readers, r), (conditions, t), (cases, c) = _coded(names[0]), _in_order(names[1]), _coded(names[2])
        groups, _ = as_groups(names[2] if group is None else group, length)
        _once(np.stack([r, t, c]), (readers, conditions, cases))
        scores = np.full((len(readers), len(conditions), len(cases)), np.nan)
        scores[r, t, c] = values
        of_case = _per_case(row_truth, c, cases, "truth"), _per_case(groups, c, cases, "group")
        return cls(
            scores, of_case[0].astype(np.bool_), as_groups(of_case[1], len(cases))[0], readers, conditions, cases
        )

    def crossed(self, conditions: Sequence[str] | None = None) -> "CrossedStudy":
        """Return the part in which every reader read every case under every condition.

        Readers without any read under one of the conditions are left out first, then the cases that one of the
        remaining readers skipped under one of the conditions. `notes` of the result counts both.

        Parameters
        ----------
        conditions : sequence of str, optional
            Which of them, in this order; all when None.
        """
        t = _chosen(self.conditions, conditions, "condition")
        read = ~np.isnan(self.scores[:, t])
        kept: BoolArray = np.all(np.any(read, axis=2), axis=1)
        whole = read[kept].all(axis=(0, 1)) if kept.any() else np.zeros(len(self.cases), dtype=np.bool_)
        names = tuple(self.conditions[i] for i in t)
        left_out = tuple(self.readers[i] for i in np.flatnonzero(~kept))
        rows = np.flatnonzero(kept)
        any_read = int(read.any(axis=(0, 1)).sum())
        notes = []
        if left_out:
            notes.append(f"left out, for no read under one of the conditions {_listed(names)}: {_listed(left_out)}")
        if any_read > whole.sum():
            notes.append(
                f"analysed: the {int(whole.sum())} of {any_read} cases that every reader read under every condition; "
                f"{any_read - int(whole.sum())} left out{self._who_skipped(read[kept], rows)}"
            )
        return CrossedStudy(
            scores=self.scores[np.ix_(rows, t, np.flatnonzero(whole))],
            truth=self.truth[whole],
            groups=as_groups(self.groups[whole], int(whole.sum()))[0],
            readers=tuple(self.readers[i] for i in rows),
            conditions=names,
            cases_left_out=any_read - int(whole.sum()),
            readers_left_out=left_out,
            notes=tuple(notes),
            kept=np.flatnonzero(whole),
        )

    def of_readers(self, readers: Sequence[str]) -> "ReaderStudy":
        """Return the study of these readers alone (an experience group), in the order of the study."""
        chosen = np.sort(_chosen(self.readers, readers, "reader"))
        names = tuple(self.readers[i] for i in chosen)
        return ReaderStudy(self.scores[chosen], self.truth, self.groups, names, self.conditions, self.cases)

    def _who_skipped(self, read: BoolArray, rows: IntArray) -> str:
        if not len(rows):
            return ""
        missing = (read.any(axis=(0, 1)) & ~read.all(axis=1)).sum(axis=1)  # cases that others read and he did not
        worst = int(np.argmax(missing))
        return f" (reader {self.readers[rows[worst]]} alone lacks {int(missing[worst])})"


@dataclass(frozen=True, eq=False)
class CrossedStudy:
    """A study without gaps: every reader read every case under every condition.

    `scores` [readers, conditions, cases] and the rest as in :class:`ReaderStudy`; `kept` are the positions of its
    cases in the study it was taken from; `notes` say what was left out, and are empty when nothing was.
    """

    scores: FloatArray
    truth: BoolArray
    groups: IntArray
    readers: tuple[str, ...]
    conditions: tuple[str, ...]
    cases_left_out: int = 0
    readers_left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kept: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    @property
    def clustered(self) -> bool:
        """Whether some group holds more than one case."""
        return len(np.unique(self.groups)) < self.truth.size

    def with_model(self, scores: FloatArray, name: str) -> "CrossedStudy":
        """Return the study with a model as its last reader; cases without a model score (NaN) are left out.

        Parameters
        ----------
        scores : ndarray [cases of the study it was taken from]
        name : str
        """
        own = scores[self.kept]
        scored = ~np.isnan(own)
        notes = self.notes
        if not scored.all():
            notes = (*notes, f"{int((~scored).sum())} cases left out that {name} has no score for")
        column = np.broadcast_to(own[scored], (1, len(self.conditions), int(scored.sum())))
        return CrossedStudy(
            scores=np.concatenate([self.scores[:, :, scored], column]),
            truth=self.truth[scored],
            groups=self.groups[scored],
            readers=(*self.readers, name),
            conditions=self.conditions,
            cases_left_out=self.cases_left_out + int((~scored).sum()),
            readers_left_out=self.readers_left_out,
            notes=notes,
            kept=self.kept[scored],
        )


def _coded(values: NDArray[np.str_]) -> tuple[tuple[str, ...], IntArray]:
    names, codes = np.unique(values, return_inverse=True)
    return tuple(str(name) for name in names), codes.reshape(values.shape).astype(np.intp)


def _in_order(values: NDArray[np.str_]) -> tuple[tuple[str, ...], IntArray]:
    names = tuple(dict.fromkeys(values.tolist()))
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places[name] for name in values.tolist()], dtype=np.intp)


def _once(codes: NDArray[np.intp], names: tuple[tuple[str, ...], ...]) -> None:
    found, counts = np.unique(codes, axis=1, return_counts=True)
    twice = found[:, counts > 1]
    if twice.size:
        reader, condition, case = (name[code] for name, code in zip(names, twice[:, 0], strict=True))
        more = f" ({twice.shape[1]} such reads)" if twice.shape[1] > 1 else ""
        raise ValueError(f"reader {reader!r} read case {case!r} twice under condition {condition!r}{more}")


def _per_case(
    values: NDArray[np.bool_] | IntArray, case: IntArray, cases: tuple[str, ...], what: str
) -> NDArray[np.bool_] | IntArray:
    first = np.zeros(len(cases), dtype=np.intp)
    first[case[::-1]] = np.arange(len(case))[::-1]
    wrong = np.flatnonzero(values != values[first][case])
    if wrong.size:
        raise ValueError(f"case {cases[case[wrong[0]]]!r} has more than one {what}")
    return values[first]


def _chosen(names: tuple[str, ...], asked: Sequence[str] | None, what: str) -> IntArray:
    unknown = [name for name in asked or () if name not in names]
    if unknown:
        raise ValueError(f"no {what} {unknown[0]!r} in the study; it has {_listed(names)}")
    return np.array([names.index(name) for name in (names if asked is None else dict.fromkeys(asked))], dtype=np.intp)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(str, names))
