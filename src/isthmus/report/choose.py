"""Thresholds chosen by a rule on rows that are not the evidence, and the frozen part that holds them."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.analysis_table import AnalysisTable, analysis_table
from isthmus.statistics.calibration import calibration_from_dict
from isthmus.statistics.thresholds import choose_threshold, cost_threshold, least_cost_threshold

Kind = Literal["youden", "fixed_sensitivity", "fixed_specificity", "prevalence", "cost", "given"]
_EXAMPLES = "youden, prevalence, sensitivity=0.95, specificity=0.9, cost=10 or a number"


@dataclass(frozen=True)
class ThresholdRule:
    """A threshold rule, and the number that it asks for, NaN where it asks for none."""

    kind: Kind
    value: float

    @property
    def words(self) -> str:
        """The rule as the report prints it."""
        return {
            "youden": "youden",
            "prevalence": "prevalence",
            "fixed_sensitivity": f"sensitivity of at least {self.value:g}",
            "fixed_specificity": f"specificity of at least {self.value:g}",
            "cost": f"a miss {self.value:g} times as bad as a needless positive call",
            "given": f"{self.value:g}, given",
        }[self.kind]


def parse_rule(text: str) -> ThresholdRule:
    """Return the rule that a text names.

    Parameters
    ----------
    text : str
        ``youden``, ``prevalence``, ``sensitivity=0.95``, ``specificity=0.9``, ``cost=10`` (how many times worse a
        missed case is than a needless positive call) or a plain number.

    Raises
    ------
    InputError
        When it names none, or with a number out of range.

    Examples
    --------
    >>> parse_rule("sensitivity=0.95").words, parse_rule("0.3").words
    ('sensitivity of at least 0.95', '0.3, given')
    """
    name, equals, number = (part.strip() for part in text.strip().lower().partition("="))
    if name in ("youden", "prevalence") and not equals:
        return ThresholdRule("youden" if name == "youden" else "prevalence", float("nan"))
    kinds: dict[str, Kind] = {"sensitivity": "fixed_sensitivity", "specificity": "fixed_specificity", "cost": "cost"}
    if equals and name not in kinds:
        raise InputError(f"no threshold rule is called {name!r}", expected=_EXAMPLES)
    try:
        value = float(number if equals else name)
    except ValueError:
        raise InputError(f"{text!r} is no threshold rule", expected=_EXAMPLES) from None
    kind: Kind = kinds[name] if equals else "given"
    if not np.isfinite(value) or (kind == "cost" and value <= 0) or (kind.startswith("fixed") and not 0 <= value <= 1):
        wanted = "a positive number, as in cost=10" if kind == "cost" else "a share, as in sensitivity=0.95"
        raise InputError(f"{text!r}: {number or name} is out of range", expected=wanted)
    return ThresholdRule(kind, value)


def frozen_from_table(
    predictions: DataFrame,
    rule: str | ThresholdRule,
    *,
    frozen: dict[str, Any] | None = None,
    prevalence: float | None = None,
    positive: str | None = None,
    target: str | None = None,
    unit: str | None = None,
) -> dict[str, Any]:
    """Choose each arm's threshold on rows that are not the evidence, and put it into ``frozen``.

    Chosen on the rows of split ``tune``; without them on the held-out rows of ``cv``; without them on ``train``, which
    is said. For use on all other splits. A fold of ``cv`` gets the threshold of its own tuning part, or else of the
    other folds of its seed. Of several seeds the first chooses. A plain number, and a cost ratio for probabilities
    (1 / (1 + ratio)), need no rows.

    Parameters
    ----------
    predictions : DataFrame
        Contract 2, as ``read_predictions`` returns it, tuning rows included.
    rule : str or ThresholdRule
        See :func:`parse_rule`.
    frozen : dict, optional
        What is frozen already. Its calibrations stay, and thresholds are chosen on what they give.
    prevalence : float, optional
        Of the clinic, for a cost ratio on scores that are no probabilities.
    positive, target, unit
        As :func:`isthmus.report.analysis_table.analysis_table`.

    Returns
    -------
    dict
        ``{"arms": {arm: {"threshold", "rule", "chosen_on", "groups_in_smaller_class", "folds"}}}``: ``frozen`` of
        ``compute_evidence`` and ``evaluate``. Arms that bring their own calls keep them and get no threshold.

    Raises
    ------
    InputError
        For more than two classes; when an arm has no such rows, or only one class among them; when every arm brings
        its own calls.
    """
    chosen = parse_rule(rule) if isinstance(rule, str) else rule
    own_call = predictions["call"].fillna("").astype(str) != "" if "call" in predictions else False
    marked = predictions.assign(own_call=own_call)  # analysis_table fills in calls where there are none
    table = analysis_table(marked, positive=positive, target=target, unit=unit)
    if len(table.classes) != 2:
        raise InputError(f"{len(table.classes)} classes", expected="two: a threshold makes one positive class")
    arms = [str(arm) for arm, rows in table.rows.groupby("arm", sort=False) if not rows["own_call"].all()]
    if not arms:
        raise InputError(
            "every arm brings its own calls: a threshold would change nothing",
            expected="rows without a call",
            hint="leave out the column call",
        )
    content = dict(frozen or {})
    entries: dict[str, Any] = dict(content.get("arms", {}))
    for arm in arms:
        own = dict(entries.get(arm, {}))
        made = _Chooser(table, arm, chosen, own, prevalence).choose()
        folds = {**own.get("folds", {})}
        for fold, point in made.pop("folds", {}).items():
            folds[fold] = {**folds.get(fold, {}), **point}
        entries[arm] = {**own, **made, **({"folds": folds} if folds else {})}
    return {**content, "arms": entries}


@dataclass(frozen=True)
class _Chooser:
    """One arm, and how its threshold is to be chosen."""

    table: AnalysisTable
    arm: str
    rule: ThresholdRule
    frozen: dict[str, Any]
    prevalence: float | None

    def choose(self) -> dict[str, Any]:
        """Return the arm's threshold and those of its folds."""
        rows = self.table.rows[self.table.rows["arm"] == self.arm]
        by_split = {str(split): part for split, part in rows.groupby("split", sort=False)}
        cv = by_split.get("cv")
        places = [] if cv is None else _places(cv)
        if self.rule.kind == "given" or (self.rule.kind == "cost" and self.table.has_probabilities):
            value = self.rule.value if self.rule.kind == "given" else cost_threshold(self.rule.value)
            point = {"threshold": value, "rule": self.rule.words, "chosen_on": "no data"}
            return {**point, "folds": {f"{seed}/{fold}": dict(point) for seed, fold in places}}
        found: dict[str, Any] = {}
        if cv is not None:
            found["folds"] = {f"{seed}/{fold}": self._of_fold(cv, by_split, seed, fold) for seed, fold in places}
        tune = by_split.get("tune")
        if tune is not None and (cv is None or not set(_places(tune)) <= set(places)):
            return {**self._point(tune, "tuning part"), **found}
        if cv is not None:
            return {**self._point(cv, "out-of-fold predictions"), **found}
        if "train" in by_split:
            words = "training part: a model does better on cases that it was trained on"
            return self._point(by_split["train"], words)
        raise InputError(
            f"arm {self.arm!r} has no rows of split tune, cv or train to choose a threshold on",
            expected="rows to choose it on that it is not judged on",
            hint="add rows of the split tune, or name a number, or cost=10 for probabilities",
        )

    def _of_fold(self, cv: DataFrame, by_split: dict[str, DataFrame], seed: int, fold: int) -> dict[str, Any]:
        tune = by_split.get("tune")
        if tune is not None:
            own = tune[(tune["seed"] == seed) & (tune["fold"] == fold)]
            if len(own):
                return self._point(own, "the fold's tuning part", f"{seed}/{fold}")
        inside = cv[cv["seed"] == seed]
        here = set(inside.loc[inside["fold"] == fold, "group_id"])
        return self._point(inside[~inside["group_id"].isin(here)], "the other folds of the seed")

    def _point(self, rows: DataFrame, where: str, fold: str | None = None) -> dict[str, Any]:
        """Return the threshold that the first seed of these rows chooses."""
        first = rows["seed"].min() if len(rows) else 0
        rows = rows[rows["seed"] == first]
        truth = rows["truth"].to_numpy(dtype=bool)
        if not len(truth) or truth.all() or not truth.any():
            raise InputError(
                f"arm {self.arm!r}: the rows to choose a threshold on ({where}) hold one class only",
                expected="cases of both classes",
                hint="add rows of the split tune, or name a number, or cost=10 for probabilities",
            )
        ranked = self._ranked(rows, fold)
        if self.rule.kind == "cost":
            if self.prevalence is None:
                raise InputError("a cost ratio needs a prevalence where scores are no probabilities",
                                 hint="state the clinic's prevalence")  # fmt: skip
            value = least_cost_threshold(truth, ranked, self.rule.value, self.prevalence)
        else:
            kind: Any = self.rule.kind
            value = choose_threshold(kind, truth, ranked, self.rule.value)
        smaller = min(rows.loc[of, "group_id"].nunique() for of in (truth, ~truth))
        return {
            "threshold": float(value),
            "rule": self.rule.words,
            "chosen_on": where,
            "groups_in_smaller_class": int(smaller),
        }

    def _ranked(self, rows: DataFrame, fold: str | None) -> Any:
        """Return what the threshold will be held against: the score, or the probability as it will be calibrated."""
        if not self.table.has_probabilities:
            return rows["score"].to_numpy(dtype=np.float64)
        values = rows["probability_uncalibrated"].to_numpy(dtype=np.float64).copy()
        places = rows["seed"].astype(str) + "/" + rows["fold"].astype(str)
        folds = self.frozen.get("folds", {})
        for place in dict.fromkeys(places):
            inside = (places == place).to_numpy()
            if (rows["split"] == "cv").all() or fold is not None:
                calibration = folds.get(fold or place, {}).get("calibration")
            else:
                calibration = self.frozen.get("calibration")
            if calibration:
                values[inside] = calibration_from_dict(calibration).apply(values[inside])
        return values


def _places(rows: DataFrame) -> list[tuple[int, int]]:
    pairs = rows[["seed", "fold"]].drop_duplicates().sort_values(["seed", "fold"])
    return [(int(seed), int(fold)) for seed, fold in pairs.itertuples(index=False)]
