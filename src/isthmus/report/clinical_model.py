"""A logistic model of what the cohort's tables know of a case: fitted, told in odds ratios, kept as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from isthmus.errors import InputError
from isthmus.report.clinical_terms import WITHHELD, Term, design_of, names_of, terms_of
from isthmus.statistics.calibration import logistic_fit
from isthmus.statistics.firth import firth_coefficients, firth_joint_test, firth_logistic
from isthmus.statistics.inputs import as_labels

METHOD: Final = "logistic regression, Firth's penalised likelihood; intercept re-estimated (FLIC)"


@dataclass(frozen=True)
class ClinicalModel:
    """Log odds = intercept + covariates x coefficients.

    Parameters
    ----------
    terms : tuple of Term
        How the covariates are made.
    intercept : float
    coefficients : tuple of float
        One a name of :func:`isthmus.report.clinical_terms.names_of`.
    n, positives : int
        Training cases.
    """

    terms: tuple[Term, ...]
    intercept: float
    coefficients: tuple[float, ...]
    n: int
    positives: int

    def log_odds(self, cases: pd.DataFrame) -> NDArray[np.float64]:
        """Return the log odds [N] of some cases."""
        linear: NDArray[np.float64] = self.intercept + design_of(self.terms, cases) @ np.array(self.coefficients)
        return linear

    def probabilities(self, cases: pd.DataFrame) -> NDArray[np.float64]:
        """Return the uncalibrated probabilities [N] of the positive class."""
        found: NDArray[np.float64] = expit(self.log_odds(cases))
        return found

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `frozen.json` keeps them."""
        return {
            "method": METHOD,
            "n": self.n,
            "positives": self.positives,
            "intercept": self.intercept,
            "coefficients": dict(zip(names_of(self.terms), self.coefficients, strict=True)),
            "terms": [term.to_json() for term in self.terms],
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "ClinicalModel":
        """Return the model that `to_json` wrote."""
        terms = tuple(Term.from_json(term) for term in fields["terms"])
        coefficients = tuple(float(fields["coefficients"][name]) for name in names_of(terms))
        return cls(terms, float(fields["intercept"]), coefficients, int(fields["n"]), int(fields["positives"]))


def fit_clinical_model(
    cases: pd.DataFrame, positive: str, columns: Sequence[str] | None = None
) -> tuple[ClinicalModel, list[dict[str, str]]]:
    """Fit the model on some cases, and on no others.

    Parameters
    ----------
    cases : DataFrame
        One row a case: ``label`` and what is known of it.
    positive : str
        The positive class.
    columns : sequence of str, optional
        Which; default :data:`isthmus.report.clinical_terms.PREOPERATIVE`, without margin and extrathyroidal extension.

    Returns
    -------
    ClinicalModel
        By Firth's likelihood, so that a level that only one class has does no harm; then the intercept alone by maximum
        likelihood, since Firth's draws probabilities towards 1/2.
    list of dict
        ``column`` and ``reason`` of what could not be used.

    Raises
    ------
    InputError
        When no column can be used.

    Source: R. Puhr, G. Heinze, M. Nold, L. Lusa, A. Geroldinger, Statistics in Medicine 36 (2017) 2302-2317: FLIC.
    """
    terms, left_out = terms_of(cases, columns)
    if not terms:
        reasons = "; ".join(f"{one['column']}: {one['reason']}" for one in left_out) or "the cohort has none of them"
        raise InputError(
            "no column can enter the clinical model", expected="age_years, sex, size_mm or a descriptor", hint=reasons
        )
    truth, design = (cases["label"] == positive).to_numpy(dtype=bool), design_of(terms, cases)
    slopes = firth_coefficients(truth, design)[1:]
    (intercept,) = logistic_fit(as_labels(truth).astype(np.float64), np.ones((truth.size, 1)), offset=design @ slopes)
    model = ClinicalModel(
        tuple(terms), float(intercept), tuple(float(slope) for slope in slopes), truth.size, int(truth.sum())
    )
    return model, left_out


def clinical_evidence(
    cases: pd.DataFrame, positive: str, columns: Sequence[str] | None = None, level: float = 0.95
) -> dict[str, Any]:
    """Return the tables of the model and of the sensitivity analysis with what may be post-operative knowledge.

    Parameters
    ----------
    cases, positive, columns
        As for :func:`fit_clinical_model`; ``group_id`` is counted.
    level : float
        Of the intervals, 0 to 1.

    Returns
    -------
    dict
        ``n``, ``positives``, ``groups``, ``level``, ``method``, ``rows``, ``tests``, ``left_out``, ``missing`` (column
        to count) and ``sensitivity`` (``columns``, ``rows``, ``tests``, ``left_out``; or ``why_not``). A row:
        ``column``, ``title``, ``what`` (step or level), ``against`` (the reference), ``n``, ``positives``, and
        ``univariate`` and ``multivariable``: odds ratio {estimate, low, high, level, method} with ``p`` and
        ``coefficient``. ``tests``: column to p of all its levels together, ``univariate`` and ``multivariable``.
    """
    terms, left_out = terms_of(cases, columns)
    known = [name for name in (term.column.partition("=")[0] for term in terms) if name in cases.columns]
    own = tuple(dict.fromkeys(known))
    missing = {name: int(cases[name].isna().sum()) for name in own}
    found: dict[str, Any] = {
        "n": len(cases),
        "positives": int((cases["label"] == positive).sum()),
        "groups": int(cases["group_id"].nunique()),
        "level": level,
        "method": METHOD,
        **_tables(terms, cases, positive, level),
        "left_out": left_out,
        "missing": {name: number for name, number in missing.items() if number},
    }
    beside = [name for name in WITHHELD if name in cases.columns and name not in own]
    wider, more_left_out = terms_of(cases, (*own, *beside))
    added = [term.column for term in wider if term.column in beside]
    if not added:
        reason = f"the cohort's {' and '.join(beside)} cannot be used" if beside else "the cohort has neither"
        return {**found, "sensitivity": {"why_not": reason}}
    more = _tables(wider, cases, positive, level)
    refused = [one for one in more_left_out if one["column"] in beside]
    return {**found, "sensitivity": {"columns": added, **more, "left_out": refused}}


def _tables(terms: Sequence[Term], cases: pd.DataFrame, positive: str, level: float) -> dict[str, Any]:
    """Return the rows of all covariates, alone and together, and the tests of columns with several levels."""
    truth, design = (cases["label"] == positive).to_numpy(dtype=bool), design_of(terms, cases)
    together = firth_logistic(truth, design, level)
    rows: list[dict[str, Any]] = []
    tests: dict[str, dict[str, float]] = {}
    start = 0
    for term in terms:
        size = len(term.names)
        own = design[:, start : start + size]
        alone = firth_logistic(truth, own, level)
        for place in range(size):
            row = _described(term, place, own, truth)
            for name, fit, at in (("univariate", alone, 1 + place), ("multivariable", together, 1 + start + place)):
                row[name] = {
                    **fit.odds_ratio(at).as_dict(),
                    "p": float(fit.p[at]),
                    "coefficient": float(fit.coefficients[at]),
                }
            rows.append(row)
        if size > 1:
            tests[term.column] = {
                "univariate": firth_joint_test(truth, own, range(size)).p,
                "multivariable": firth_joint_test(truth, design, range(start, start + size)).p,
            }
        start += size
    return {"rows": rows, "tests": tests}


def _described(term: Term, place: int, own: NDArray[np.float64], truth: NDArray[np.bool_]) -> dict[str, Any]:
    row: dict[str, Any] = {"column": term.column, "title": term.title}
    if term.kind == "numeric":
        step = f"per {term.per:g} {term.title.partition(', ')[2]}".rstrip()
        return {**row, "what": step, "against": "", "n": truth.size, "positives": int(truth.sum())}
    inside = own[:, place] > 0
    return {
        **row,
        "what": term.levels[place][1],
        "against": term.reference[1],
        "n": int(inside.sum()),
        "positives": int(truth[inside].sum()),
    }
