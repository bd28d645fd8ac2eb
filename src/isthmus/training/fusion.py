"""Fitting the head of a fused model to the embeddings, or the logits, of networks that never saw its patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from isthmus.errors import InputError
from isthmus.models.fused import FusedHead, Places
from isthmus.models.fused_classifier import one_thread
from isthmus.models.fused_columns import (
    Join,
    WhereAbsent,
    checked,
    component_names,
    indicator_name,
    member_of,
    usable,
)
from isthmus.models.mean_head import MEAN
from isthmus.statistics.inputs import FloatArray
from isthmus.training.correlation_cut import uncorrelated
from isthmus.training.fusion_classifiers import Groups, Labels, check_classifiers, fit_classifier
from isthmus.training.halves import FusionMode
from isthmus.training.lasso import LassoSettings, select_by_lasso

_CONSTANT = 1e-9
"""A deviation below this share of the largest value is rounding: the feature is constant."""

_FEWEST_ABSENT = 5
"""Examples that lack something, and that have it, for an indicator to be learned from."""


class FusionSettings(BaseModel):
    """How members are joined: the ``settings`` block of a fusion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    join: Join = Field(
        "embeddings",
        description="what of the networks is joined: what their last layer sees, or what it says; mean: the mean of "
        "what those say that a patient has, by the arms' own networks, with no head, no halves and no other key here",
    )
    correlation: float | None = Field(
        0.9, gt=0, lt=1, description="of features that correlate above this only one stays; null keeps all"
    )
    pca: int | None = Field(None, ge=1, description="principal components that replace the features; null keeps them")
    lasso: LassoSettings | None = Field(
        default_factory=lambda: LassoSettings(), description="selection of features; null keeps all"
    )
    where_absent: WhereAbsent = Field(
        "mean",
        description="a patient who lacks a member: its features stand at their training mean and an indicator says "
        "so, or the patient is left out",
    )
    mode: FusionMode = Field(
        "cross_fit",
        description="cross_fit: the head never learns from patients that its networks were trained on; "
        "paper: it learns from the same, as published (in-sample, optimistic)",
    )

    @model_validator(mode="before")
    @classmethod
    def _a_mean_has_no_head(cls, content: Any) -> Any:
        others = [name for name in content if name != "join"] if isinstance(content, dict) else []
        if others and content.get("join") == MEAN:
            raise ValueError(f"join is 'mean', which has no head: it takes no {others[0]}")
        return content

    @model_serializer(mode="wrap")
    def _without_a_head(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        kept: dict[str, Any] = handler(self)
        return {"join": self.join} if self.join == MEAN else kept

    @property
    def halved(self) -> bool:
        """Whether the members' networks are trained on halves, and a head on the other half."""
        return self.join != MEAN and self.mode == "cross_fit"


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A head, and how it came about.

    Parameters
    ----------
    head : FusedHead
    path : dict
        JSON. ``counts``: ``examples``, ``positives``, ``groups``, ``left_out`` (examples that lack a member),
        ``features`` (with indicators), ``indicators`` (names), ``constant``, ``correlated``, ``kept``, ``components``,
        ``selected``; ``lasso``: as :class:`isthmus.training.lasso.Selection` has it, or None.
    """

    head: FusedHead
    path: dict[str, Any]


def fit_head(
    features: FloatArray,
    labels: ArrayLike,
    groups: ArrayLike,
    columns: Sequence[str],
    classifier: str,
    settings: FusionSettings,
    seed: int,
) -> FittedHead:
    """Fit a head that ends in one classifier: :func:`fit_heads` for one."""
    return fit_heads(features, labels, groups, columns, [classifier], settings, seed)[classifier]


def fit_heads(
    features: FloatArray,
    labels: ArrayLike,
    groups: ArrayLike,
    columns: Sequence[str],
    classifiers: Sequence[str],
    settings: FusionSettings,
    seed: int,
) -> dict[str, FittedHead]:
    """Fit z-scores, correlation cut, principal components, LASSO and classifiers, in this order, to the same examples.

    What comes before the classifiers does not depend on them and is done once.

    Parameters
    ----------
    features : ndarray [N, D]
        NaN where something is absent.
    labels : array_like of 0 and 1 [N]
    groups : array_like [N]
        Of patients; every cross-validation within the fit keeps them whole.
    columns : sequence of D str
        ``<member>:<name>``.
    classifiers : sequence of str
        Keys of :data:`isthmus.training.fusion_classifiers.CLASSIFIERS`.
    settings : FusionSettings
    seed : int
        Same input and seed, same bytes out.

    Returns
    -------
    dict
        Classifier to head.

    Raises
    ------
    InputError
        When the arrays do not fit together, a class is absent or has one group only, or no feature varies.
    ProtocolError
        When a classifier is unknown.
    """
    check_classifiers(classifiers)
    names = tuple(columns)
    values, truth, whole = _examples(features, labels, groups, names, settings.where_absent)
    with one_thread():
        fitted = _fit_selection(values, truth, whole, names, settings, seed)
    fitted.counts["left_out"] = len(np.asarray(features)) - len(truth)
    found = {}
    for name in classifiers:
        last = fit_classifier(name, fitted.scores, truth, whole, seed)
        head = FusedHead(
            names, fitted.indicators, settings.where_absent, fitted.means, fitted.deviations, fitted.kept,
            fitted.rotation, fitted.selected, last,
        )  # fmt: skip
        found[name] = FittedHead(head, {"counts": fitted.counts, "lasso": fitted.lasso})
    return found


@dataclass(frozen=True, eq=False)
class _FittedSelection:
    """All of a head but its classifier, and the selected features [N, S] of the examples it was fitted on."""

    indicators: tuple[tuple[str, int], ...]
    means: FloatArray
    deviations: FloatArray
    kept: Places
    rotation: FloatArray | None
    selected: Places
    scores: FloatArray
    counts: dict[str, Any]
    lasso: dict[str, Any] | None


def _fit_selection(
    values: FloatArray, truth: Labels, whole: Groups, columns: tuple[str, ...], settings: FusionSettings, seed: int
) -> _FittedSelection:
    indicators = _indicators(values, columns)
    extended = np.concatenate([values, np.isnan(values[:, [place for _, place in indicators]])], axis=1)
    means, deviations, varying = _moments(extended)
    kept = np.flatnonzero(varying)
    scores = np.nan_to_num((extended[:, kept] - means[kept]) / deviations[kept], nan=0.0)
    if settings.correlation is not None:
        left = uncorrelated(scores, settings.correlation)
        kept, scores = kept[left], scores[:, left]
    everything = (*columns, *(name for name, _ in indicators))
    shown, rotation = tuple(everything[place] for place in kept), None
    if settings.pca is not None:
        rotation = _principal_axes(scores, settings.pca)
        shown, scores = component_names(len(rotation)), scores @ rotation.T
    selected, path = np.arange(scores.shape[1]), None
    if settings.lasso is not None:
        selection = select_by_lasso(scores, truth, whole, shown, settings.lasso, seed)
        selected, path = selection.selected, selection.path
    counts = {
        "examples": len(truth),
        "positives": int(truth.sum()),
        "groups": len(set(whole.tolist())),
        "features": extended.shape[1],
        "indicators": [name for name, _ in indicators],
        "constant": int((~varying).sum()),
        "correlated": int(varying.sum()) - len(kept),
        "kept": len(kept),
        "components": None if rotation is None else len(rotation),
        "selected": len(selected),
    }
    return _FittedSelection(indicators, means, deviations, kept, rotation, selected, scores[:, selected], counts, path)


def _examples(
    features: FloatArray, labels: ArrayLike, groups: ArrayLike, columns: tuple[str, ...], where_absent: WhereAbsent
) -> tuple[FloatArray, Labels, Groups]:
    """Return the examples that can be fitted on, after checking that they can."""
    values, truth, whole = checked(features, columns), np.asarray(labels), np.asarray(groups, object)
    if truth.shape != (len(values),) or whole.shape != truth.shape:
        raise InputError(
            f"{len(values)} rows of features, labels {list(truth.shape)}, groups {list(whole.shape)}",
            expected="one label and one group a row",
        )
    if not np.isin(truth, (0, 1)).all():
        raise InputError("a label of the fused examples is neither 0 nor 1", expected="two classes")
    there = usable(values, columns, where_absent)
    values, truth, whole = values[there], truth[there].astype(np.int64), whole[there]
    counts = [len(set(whole[truth == label].tolist())) for label in (0, 1)]
    if min(counts) < 2:
        raise InputError(
            f"a fused model would be fitted on {counts[1]} groups of the positive class and {counts[0]} of the other",
            expected="at least 2 of each",
            hint="fusion needs more patients of the rarer class, or where_absent: mean",
        )
    return values, truth, whole


def _indicators(values: FloatArray, columns: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """Return one indicator for each set of columns absent in the same examples: of a whole member, or of a column.

    What is absent, or there, in a few examples only gets none: it would mark those few and nothing else.
    """
    missing = np.isnan(values)
    often = np.minimum(missing.sum(axis=0), (~missing).sum(axis=0)) >= _FEWEST_ABSENT
    members = np.array([member_of(name) for name in columns])
    whole = {
        name: bool((part := missing[:, members == name]).all(axis=1).sum() == part.any(axis=1).sum())
        for name in dict.fromkeys(members)
    }
    found: dict[bytes, tuple[str, int]] = {}
    for place in np.flatnonzero(often).tolist():
        name = members[place] if whole[members[place]] else columns[place]
        found.setdefault(missing[:, place].tobytes(), (indicator_name(name), place))
    return tuple(found.values())


def _moments(values: FloatArray) -> tuple[FloatArray, FloatArray, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return means and deviations [F] over what is there, and which columns vary; the others get deviation 1."""
    there = ~np.isnan(values)
    count = np.maximum(there.sum(axis=0), 1)
    filled = np.where(there, values, 0.0)
    means = filled.sum(axis=0) / count
    deviations = np.sqrt((np.where(there, filled - means, 0.0) ** 2).sum(axis=0) / count)
    varying = deviations > _CONSTANT * np.maximum(np.abs(filled).max(axis=0), np.finfo(float).tiny)
    if not varying.any():
        raise InputError(
            "no feature varies between the examples", hint="look at the members: their networks may be dead"
        )
    return means, np.where(varying, deviations, 1.0), varying


def _principal_axes(scores: FloatArray, components: int) -> FloatArray:
    """Return the first principal axes [C, F], the largest entry of each positive; C at most their rank."""
    centred = scores - scores.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[sizes > _CONSTANT * sizes[0]][:components]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    oriented: FloatArray = axes * np.sign(largest)[:, None]
    return oriented
