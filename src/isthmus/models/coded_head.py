"""A fused model's head beside the rule by which columns of the tables join it, and both on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from isthmus.errors import BundleError, InputError
from isthmus.files import read_json, write_json
from isthmus.models.fused import FusedHead
from isthmus.models.fused_columns import member_of
from isthmus.models.mean_head import MeanHead
from isthmus.statistics.inputs import FloatArray
from isthmus.tables.coded_columns import CLINICAL, Term, design_of, names_of

COLUMNS_FILE: Final = "columns.json"
_LARGEST_COLUMNS: Final = 4 * 1024**2
_TERMS: Final = TypeAdapter(list[Term])
Head = FusedHead | MeanHead
"""What is fitted on members' features, or their mean, of which nothing is."""


class CodedHead(NamedTuple):
    """A head and the terms of its columns.

    Parameters
    ----------
    head : FusedHead or MeanHead
        Its features are those of the members, in blocks, and then the columns'.
    terms : list of Term
        How the columns are coded, as it was found on the head's own patients.
    """

    head: Head
    terms: list[Term]

    def features(self, blocks: Mapping[str, FloatArray], cases: pd.DataFrame) -> FloatArray:
        """Return the head's features of N cases, float64 [N, D].

        Parameters
        ----------
        blocks : mapping
            Member to its values [N, its columns]; a case that lacks the member has NaN. A member that is not named is
            absent in all.
        cases : DataFrame
            N rows: what the tables know of the cases.

        Raises
        ------
        BundleError
            When a member gives another number of values than the head was fitted on.
        """
        values = np.full((len(cases), len(self.head.columns)), np.nan)
        own = dict(blocks)
        if self.terms:
            own[CLINICAL] = design_of(self.terms, cases)
        for member, block in own.items():
            places = [place for place, name in enumerate(self.head.columns) if member_of(name) == member]
            if block.shape[1] != len(places):
                raise BundleError(
                    f"member {member} gives {block.shape[1]} values", expected=f"{len(places)}, which the head knows"
                )
            values[:, places] = block
        return values

    def write(self, folder: Path) -> None:
        """Write the head (:meth:`isthmus.models.fused.FusedHead.write`) and ``columns.json``."""
        self.head.write(folder)
        terms = [term.to_json() for term in self.terms]
        write_json(folder / COLUMNS_FILE, {"format": "isthmus-fused-columns/1.0", "terms": terms})

    @classmethod
    def read(cls, folder: Path) -> "CodedHead":
        """Read what :meth:`write` wrote.

        Raises
        ------
        BundleError
            When a file is absent, altered, too large or contradicts another.
        """
        path = folder / COLUMNS_FILE
        if not path.is_file() or path.stat().st_size > _LARGEST_COLUMNS:
            what = "is too large" if path.is_file() else "is missing"
            raise BundleError(f"{COLUMNS_FILE} {what}", where=str(path), hint="copy the bundle again from its source")
        try:
            terms = _TERMS.validate_python(read_json(path, name="fused-columns").get("terms"))
        except InputError as error:
            raise BundleError(error.what, where=error.where, expected=error.expected, hint=error.hint) from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise BundleError(f"{COLUMNS_FILE} is not valid: {place}: {first['msg']}", where=str(path)) from error
        head = MeanHead.read(folder) or FusedHead.read(folder)
        if any(not _sound(term) for term in terms) or _of_columns(head) != [f"{CLINICAL}:{n}" for n in names_of(terms)]:
            raise BundleError("head.json and columns.json do not fit each other", where=str(folder))
        return cls(head, terms)


def _sound(term: Term) -> bool:
    """Whether a term codes its column with what it holds itself."""
    if term.kind == "numeric":
        return isinstance(term.fill, float | int) and bool(np.isfinite([term.fill, term.per]).all()) and term.per > 0
    return isinstance(term.fill, str) and bool(term.levels)


def _of_columns(head: Head) -> list[str]:
    return [name for name in head.columns if member_of(name) == CLINICAL]
