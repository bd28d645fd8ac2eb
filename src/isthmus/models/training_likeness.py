"""How like its training pictures a model finds a picture: kept in a bundle beside the parts, as numbers only."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import BundleError
from isthmus.models.likeness_spec import FILE, CasesSpec, LikenessSpec, Trial
from isthmus.models.official_weights import LARGEST
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.out_of_distribution import Distance, Mahalanobis, Neighbours, Scale, chances, shares_nearer
from isthmus.statistics.spread_of_means import Agreement

if TYPE_CHECKING:
    from collections.abc import Mapping

RARE: Final = 0.05
"""A case is called unlike the training pictures where no more than this share of such cases would be as far."""

_PARTS: Final = {"mahalanobis": ("centres", "directions", "variances", "rest"), "neighbours": ("rows",)}


@dataclass(frozen=True, eq=False)
class UnseenCases:
    """Whose scores the reference holds: training cases, each a mean over its pictures by one network.

    Parameters
    ----------
    unit : str
        What one case is: ``nodule`` or ``patient``.
    views : float array [M]
        How many pictures each case has.
    centre : float
        Mean of the cases' scores.
    agreement : Agreement
        Of single scores: says how much narrower a mean of several spreads.
    """

    unit: str
    views: FloatArray
    centre: float
    agreement: Agreement

    @property
    def usual(self) -> int:
        """The usual number of pictures of a case: the median."""
        return int(np.median(self.views))

    def standard(self, scores: ArrayLike, networks: int, views: ArrayLike) -> FloatArray:
        """Return means over so many networks and pictures in deviations of such means from the centre."""
        return np.asarray((np.asarray(scores, np.float64) - self.centre) / self.agreement.spread(networks, views))


@dataclass(frozen=True, eq=False)
class TrainingLikeness:
    """What a model's fold networks know of their own training pictures.

    Parameters
    ----------
    parts : sequence of Mahalanobis or Neighbours
        For each fold network the distance from its training pictures.
    scales : sequence of Scale
        For each the scale of that distance among pictures that it did not see.
    reference : float array [M]
        Scores of training cases, each by one fold network that never saw it; sorted.
    trials : sequence of Trial
        How well each distance told altered pictures; the first is the one that was chosen.
    rule : str
        How it was chosen.
    cases : UnseenCases, optional
        What the reference's cases are. None in older bundles: there it is single pictures, and a mean over networks and
        pictures, which spreads less, is called unlike more rarely than :data:`RARE`.
    """

    parts: Sequence[Distance]
    scales: Sequence[Scale]
    reference: FloatArray
    trials: Sequence[Trial]
    rule: str
    cases: UnseenCases | None = None

    def scores(self, embeddings: "Sequence[np.ndarray[Any, Any]]") -> FloatArray:
        """Return how unusual pictures are: the mean over the fold networks, whose embeddings [N, D] are given."""
        each = [
            scale.scores(part.distances(own))
            for part, scale, own in zip(self.parts, self.scales, embeddings, strict=True)
        ]
        return np.asarray(np.mean(each, axis=0), np.float64)

    def shares_nearer(
        self, scores: ArrayLike, views: ArrayLike = 1, *, networks: int | None = None, among: bool = False
    ) -> FloatArray:
        """Return the share of unseen training cases that are less unusual, 0..1 [N]; as for :meth:`unlike`."""
        return shares_nearer(*self._compared(scores, views, networks), among=among)

    def unlike(
        self, scores: ArrayLike, views: ArrayLike = 1, *, networks: int | None = None, among: bool = False
    ) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Return which cases are farther from the training pictures than unseen ones but rarely are: bool [N].

        Parameters
        ----------
        scores : float array [N]
            Means over a case's pictures.
        views : int or int array [N]
            How many these are.
        networks : int, optional
            Over how many networks the scores are means; without it over all.
        among : bool
            The cases stand in the reference themselves: each is compared with the others.
        """
        return np.asarray(chances(*self._compared(scores, views, networks), among=among) <= RARE)

    def _compared(self, scores: ArrayLike, views: ArrayLike, networks: int | None) -> tuple[FloatArray, FloatArray]:
        """Return scores and reference in the same deviations."""
        if self.cases is None:
            return np.asarray(scores, np.float64), self.reference
        own = self.cases.standard(scores, len(self.parts) if networks is None else networks, views)
        return own, self.cases.standard(self.reference, 1, self.cases.views)

    def encoded(self) -> tuple[LikenessSpec, bytes]:
        """Return what ``bundle.yaml`` says, and the bytes of the file beside it."""
        from safetensors.numpy import save

        kind = "mahalanobis" if isinstance(self.parts[0], Mahalanobis) else "neighbours"
        arrays = {"reference": np.asarray(self.reference, np.float64)}
        if self.cases is not None:
            arrays["views"] = np.asarray(self.cases.views, np.float64)
        for number, part in enumerate(self.parts):
            for name in _PARTS[kind]:
                value = np.atleast_1d(np.asarray(getattr(part, name)))
                # What is wide is kept short: single precision moves a distance by less than one part in a thousand.
                arrays[f"{number}.{name}"] = value.astype(np.float32 if value.ndim == 2 else np.float64)
        content = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
        spec = LikenessSpec.model_validate(
            {
                "kind": kind,
                "neighbours": [part.count for part in self.parts if isinstance(part, Neighbours)],
                "scales": [[scale.middle, scale.width] for scale in self.scales],
                "pictures": len(self.reference),
                "cases": None if self.cases is None else _said(self.cases),
                "trials": [trial.model_dump() for trial in self.trials],
                "rule": self.rule,
                "file": FILE,
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        )
        return spec, content


def _said(cases: UnseenCases) -> dict[str, Any]:
    return {"unit": cases.unit, "centre": cases.centre, **asdict(cases.agreement)}


def read_likeness(folder: Path, spec: LikenessSpec, parts: int) -> TrainingLikeness:
    """Read it from a bundle after checking its hash, its size and its shapes.

    Raises
    ------
    BundleError
        When the file is absent, altered, too large, or not what ``bundle.yaml`` says.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = Path(folder) / spec.file
    if not path.is_file():
        raise BundleError("a file is missing", where=str(path), hint="copy the bundle again from where it came")
    if path.stat().st_size > LARGEST:
        raise BundleError(f"it has {path.stat().st_size} bytes", where=str(path), expected=f"under {LARGEST}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != spec.sha256:
        raise BundleError(
            "this file was altered or damaged", where=str(path), expected=f"SHA-256 {spec.sha256[:8]}…",
            hint="copy the bundle again from where it came",
        )  # fmt: skip
    try:
        arrays = load(content)
        distances = [_distance(arrays, number, spec) for number in range(parts)]
        reference = _checked(arrays["reference"], 1)
        cases = None if spec.cases is None else _cases(spec.cases, _checked(arrays["views"], 1), len(reference))
    except (SafetensorError, KeyError, ValueError) as error:
        raise BundleError(f"this file is not what bundle.yaml says: {error}", where=str(path)) from error
    if len(spec.scales) != parts or len(reference) != spec.pictures:
        raise BundleError(
            f"{len(spec.scales)} scales and {len(reference)} pictures", where=str(path),
            expected=f"{parts} scales, one a part, and {spec.pictures} pictures",
        )  # fmt: skip
    scales = [Scale(middle, width) for middle, width in spec.scales]
    return TrainingLikeness(distances, scales, reference, spec.trials, spec.rule, cases)


def _cases(said: CasesSpec, views: FloatArray, count: int) -> UnseenCases:
    if len(views) != count or views.min() < 1:
        raise ValueError(f"{len(views)} numbers of pictures for {count} cases, the smallest {views.min():g}")
    return UnseenCases(said.unit, views, said.centre, Agreement(said.networks, said.views, said.both))


def _distance(arrays: "Mapping[str, np.ndarray[Any, Any]]", number: int, spec: LikenessSpec) -> Distance:
    if spec.kind == "neighbours":
        rows, count = _checked(arrays[f"{number}.rows"], 2), spec.neighbours[number]
        if count > len(rows):
            raise ValueError(f"neighbour {count} of {len(rows)} rows")
        return Neighbours(rows, count)
    centres, directions = (_checked(arrays[f"{number}.{name}"], 2) for name in ("centres", "directions"))
    variances, rest = (_checked(arrays[f"{number}.{name}"], 1) for name in ("variances", "rest"))
    if centres.shape[1] != directions.shape[1] or variances.shape != directions.shape[:1] or rest.shape != (1,):
        raise ValueError(
            f"shapes {centres.shape}, {directions.shape}, {variances.shape}, {rest.shape} of part {number}"
        )
    if variances.min() <= 0 or rest[0] <= 0:
        raise ValueError(f"a variance of part {number} is not above 0")
    return Mahalanobis(centres, directions, variances, float(rest[0]))


def _checked(value: "np.ndarray[Any, Any]", dimensions: int) -> "np.ndarray[Any, Any]":
    if value.ndim != dimensions or not value.size or value.dtype.kind != "f" or not np.isfinite(value).all():
        raise ValueError(f"{value.dtype} of shape {value.shape} where finite numbers of {dimensions} dimensions belong")
    return value
