"""How well a model tells pictures from elsewhere by its embeddings: another organ, other devices, no ultrasound.

    isthmus cohort import ddti DATA/ddti COHORT
    isthmus run wang2025 --cohort COHORT --out RUN --profile small
    python benchmarks/out_of_distribution.py RUN COHORT --data DATA --name ddti_small [--arm ARM] [--own ddti]

For each arm the distances are fitted as a run fits them, and the one that the run's rule chooses is marked; nothing
from elsewhere is looked at before. AUROC: the mean over the fold networks, each telling pictures from elsewhere from
the training cohort's pictures that it never saw; intervals count patients. Beside it what one minus the highest class
probability (Hendrycks and Gimpel 2017) tells. Writes `results/out_of_distribution_<name>.json` and `.md`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from elsewhere_pictures import SETS, Elsewhere, in_the_middle
from numpy.typing import NDArray
from real_pictures import data_folder

import tables
from isthmus.cohort.cohort import load_cohort
from isthmus.errors import IsthmusError
from isthmus.explain.fold_networks import read_fold
from isthmus.files import read_yaml
from isthmus.imaging.cache import PreparedCache
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import prepare
from isthmus.imaging.read import read_clip
from isthmus.inference.batch import takes_masks
from isthmus.inference.embeddings import view_embeddings
from isthmus.inference.scores import probabilities
from isthmus.models.training_likeness import TrainingLikeness
from isthmus.protocol.cases import Cases, find_cases
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.pictures import cache_folder, prepared_store
from isthmus.protocol.run_folder import open_run
from isthmus.protocol.training_likeness import cases_of_views, fit_distances, likeness_of, tried
from isthmus.statistics.cross_validated import cross_validated_auc
from isthmus.statistics.proportions import clustered_proportion
from isthmus.training.spec import FitSpec

Values = NDArray[np.float64]
CONFIDENCE = "1 - confidence"
FRAMED = "the same pictures, their middle instead of the outlined nodule"


@dataclass(frozen=True, eq=False)
class Shown:
    """Prepared pictures of one kind."""

    kind: str
    groups: list[str]
    pixels: NDArray[np.uint8]
    masks: NDArray[np.bool_]


def main() -> None:
    """Fit, score pictures from elsewhere, and write down what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="finished run folder")
    parser.add_argument("cohort", type=Path, help="what it was trained on")
    parser.add_argument("--data", help="folder of real data (or ISTHMUS_DATA)")
    parser.add_argument("--name", required=True, help="of the results")
    parser.add_argument("--arm", action="append", help="of the run; default all; repeatable")
    parser.add_argument("--own", action="append", default=[], choices=SETS, help="what the cohort holds: no elsewhere")
    given = parser.parse_args()
    data, protocol = data_folder(given.data), open_run(given.run).protocol
    cases, rows = find_cases(protocol, load_cohort(given.cohort)), []
    elsewhere = [one for name, of in SETS.items() if name not in given.own for one in of(data)]
    for arm in given.arm or protocol.arms:
        rows += _of_arm(given.run, arm, cases, elsewhere)
    facts = {**tables.machine(), "cohort": cases.cohort.name, "fingerprint": cases.cohort.fingerprint()[:12]}
    words = (
        "How well the embeddings of fold networks tell pictures from elsewhere from unseen pictures of the training "
        "cohort. `chosen` is the distance that the run's rule chooses, without any of these pictures. `called unlike` "
        "is what `predict` says of such a picture alone; of those like the training cohort's about one in twenty "
        f"should be. The row `{FRAMED}` is no picture from elsewhere: it says how much of the others' AUROC "
        "the framing alone may make."
    )
    tables.write(f"out_of_distribution_{given.name}", facts, rows, words)


def _of_arm(run: Path, arm: str, cases: Cases, elsewhere: Sequence[Elsewhere]) -> list[dict[str, Any]]:
    folders = sorted((run / "arms" / arm).glob("*/seed-0/fold-*"))
    fits = [FitSpec.model_validate(_fit(folder)) for folder in folders]
    store = prepared_store(PreparedCache(cache_folder()), cases.views[arm], fits[0].prepare)
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "arms").symlink_to((run / "arms").resolve())
        folds = fit_distances(Path(scratch), fits, store, cases_of_views(cases, arm))
        trials = tried(folds)
        fitted = {trial.kind: likeness_of(folds[trial.kind], trials, cases.unit) for trial in trials}
        chosen = trials[0].kind
        shown = _prepared(elsewhere, fits[0].prepare)
        framed = _framed(cases, arm, fits[0].prepare) if fits[0].prepare.crop == "lesion" else None
        network = [read_fold(fit_folder(Path(scratch), fit)) for fit in fits]
    groups = dict(zip(cases.views[arm]["view_id"], cases.views[arm]["group_id"], strict=True))
    own, reference = [], []
    for place, fit in enumerate(fits):
        views = [view for view in fit.held_out_views if view in set(store.view_ids)]
        rows = np.asarray(store.rows(views))
        masks = store.lesion_masks[rows].astype(bool)
        kind = Shown("own", [groups[view] for view in views], store.pixels[rows], masks)
        own.append((kind.groups, _scores(network[place].classifier, fit, fitted, place, kind)))
        if framed is not None:
            there = [view for view in views if view in framed]
            kind = Shown(
                FRAMED, [groups[view] for view in there],
                np.stack([framed[view][0] for view in there]), np.stack([framed[view][1] for view in there]),
            )  # fmt: skip
            reference.append((kind.groups, _scores(network[place].classifier, fit, fitted, place, kind)))
    found = [_row(arm, FRAMED, own, reference, chosen, fitted[chosen], by_fold=True)] if reference else []
    for one in shown:
        other = [
            (one.groups, _scores(network[place].classifier, fit, fitted, place, one)) for place, fit in enumerate(fits)
        ]
        found.append(_row(arm, one.kind, own, other, chosen, fitted[chosen], by_fold=False))
    return found


def _fit(folder: Path) -> dict[str, Any]:
    content = read_yaml(folder / "fit.yaml", name="fit")
    return {name: value for name, value in content.items() if name in FitSpec.model_fields}


def _framed(cases: Cases, arm: str, preparation: Preparation) -> dict[str, tuple[Any, Any]]:
    found = {}
    for row in cases.views[arm].itertuples():
        picture = prepare(in_the_middle(read_clip(Path(str(row.path)))), preparation)
        found[str(row.view_id)] = (picture.pixels, picture.lesion_mask)
    return found


def _prepared(elsewhere: Sequence[Elsewhere], preparation: Preparation) -> list[Shown]:
    kinds: dict[str, list[tuple[str, Any]]] = {}
    for one in elsewhere:
        try:
            kinds.setdefault(one.kind, []).append((one.group, prepare(one.clip, preparation)))
        except IsthmusError as error:
            print(f"left out: {one.kind}, {one.group}: {error}")
    return [
        Shown(
            kind, [group for group, _ in own],
            np.stack([one.pixels for _, one in own]), np.stack([one.lesion_mask for _, one in own]),
        )
        for kind, own in kinds.items()
    ]  # fmt: skip


def _scores(classifier: Any, fit: FitSpec, fitted: dict[str, TrainingLikeness], place: int, shown: Shown) -> Any:
    """Return what one fold network makes of pictures: how unusual by each distance, and how unsure it is."""
    masks = shown.masks if takes_masks(classifier) else None
    embeddings, logits = view_embeddings(classifier, shown.pixels, fit.prepare, "cpu", masks, flips=fit.flips)
    sure = probabilities(logits, np.zeros(logits.shape[1])).max(axis=1)
    unusual = {
        kind: likeness.scales[place].scores(likeness.parts[place].distances(embeddings))
        for kind, likeness in fitted.items()
    }
    return {**unusual, CONFIDENCE: 1 - sure}


def _row(
    arm: str, kind: str, own: Any, other: Any, chosen: str, likeness: TrainingLikeness, *, by_fold: bool
) -> dict[str, Any]:
    folds = [
        place for place, ((a, _), (b, _)) in enumerate(zip(own, other, strict=True)) for _ in range(len(a) + len(b))
    ]
    labels = [
        is_other for (a, _), (b, _) in zip(own, other, strict=True) for is_other in [False] * len(a) + [True] * len(b)
    ]
    # A patient whose picture is framed otherwise is the same patient.
    mark = "" if by_fold else f"{kind}: "
    groups = [name for (a, _), (b, _) in zip(own, other, strict=True) for name in [*a, *(mark + one for one in b)]]
    said: dict[str, str] = {}
    for name in ("mahalanobis", "neighbours", CONFIDENCE):
        values = [x for (_, a), (_, b) in zip(own, other, strict=True) for x in [*a[name], *b[name]]]
        auc = cross_validated_auc(labels, values, folds, np.zeros(len(folds), int), groups).auc
        said[name] = f"{auc.estimate:.3f} ({auc.low:.3f} to {auc.high:.3f})"
    if by_fold:
        far = np.concatenate([scores[chosen] for _, scores in other])
        who = [name for names, _ in other for name in names]
    else:
        far, who = np.mean([scores[chosen] for _, scores in other], axis=0), other[0][0]
    # What is framed otherwise was scored by the one network that never saw it, all else by all of them.
    unlike = clustered_proportion(likeness.unlike(far, networks=1 if by_fold else None), who)
    return {
        "arm": arm,
        "pictures": kind,
        "n": len(who),
        "groups": len(set(who)),
        "chosen": chosen,
        "AUROC, mahalanobis": said["mahalanobis"],
        "AUROC, neighbours": said["neighbours"],
        f"AUROC, {CONFIDENCE}": said[CONFIDENCE],
        "called unlike": f"{unlike.estimate:.2f} ({unlike.low:.2f} to {unlike.high:.2f})",
    }


if __name__ == "__main__":
    main()
