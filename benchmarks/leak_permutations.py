"""Whether labels that mean nothing give an AUC of a half, from the networks through fusion to every classifier.

Labels are dealt anew among the patients before anything else, and olnm2025 is run up to its held-out scores: networks,
halves, heads, all classifiers. The mean held-out AUC over the permutations must be 0.5 within its Monte-Carlo error.
With --plant the networks of the halves are trained on the held-out patients too, which the program refuses by itself
(the check is switched off here): the fused arms' AUC then rises above a half, so the test can fail.

    isthmus cohort simulate ceus-olnm COHORT --nodules 160 --seed 1
    python benchmarks/leak_permutations.py COHORT --permutations 50 --out benchmarks/results/leak_permutations.json
"""

import argparse
import os
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from isthmus.cohort.cohort import load_cohort
from isthmus.files import write_json
from isthmus.imaging.cache import PreparedCache
from isthmus.protocol import fused_fits
from isthmus.protocol.arithmetic import Arithmetic
from isthmus.protocol.cases import find_cases
from isthmus.protocol.fits import fit_folder, list_fits
from isthmus.protocol.fused_fits import fit_fusions, list_fused_fits
from isthmus.protocol.fused_scores import gather_fused
from isthmus.protocol.gather import gather_views
from isthmus.protocol.half_fits import list_half_fits
from isthmus.protocol.parts import divide, set_aside
from isthmus.protocol.pictures import prepare_pictures
from isthmus.protocol.resolve import resolve_protocol
from isthmus.statistics.cross_validated import cross_validated_auc
from isthmus.training.fit import run_fit
from isthmus.training.spec import FitSpec

SETTINGS = (
    "only=[image, ceus_video, combined, stacked]",
    "splits.test=null",
    "select.among=[resnet18]",
    "fusions.combined.candidates=[logistic, svm, knn, random_forest, extra_trees, xgboost, lightgbm, mlp]",
    "defaults.train.epochs=8",
)


def permuted(cohort: Path, folder: Path, seed: int) -> Path:
    """Write the cohort with its labels dealt anew among the patients."""
    shutil.copytree(cohort, folder, copy_function=lambda source, target: Path(target).symlink_to(source))
    patients = pd.read_csv(cohort / "patients.csv", dtype=str)
    generator = np.random.default_rng([seed, 7])
    (folder / "patients.csv").unlink()
    patients.assign(olnm=generator.permutation(patients["olnm"])).to_csv(folder / "patients.csv", index=False)
    return folder


def held_out(folder: Path, cohort: Path, cache: PreparedCache, plant: bool) -> pd.DataFrame:
    """Run networks, halves and heads on a cohort and return all held-out rows."""
    protocol = resolve_protocol("olnm2025", "smoke", SETTINGS)
    cases = find_cases(protocol, load_cohort(cohort))
    split, aside = divide(protocol, cases)
    stores, usable, _ = prepare_pictures(protocol, cases, cache)
    training, _ = set_aside(usable, aside)
    keys = {arm: store.key for arm, store in stores.items()}
    arithmetic = {f"{arm}/resnet18": Arithmetic("fp32", 1, "cpu", 0.0) for arm in protocol.arms}
    fits = list_fits(protocol, training, split, keys, arithmetic)
    halves = list_half_fits(protocol, training, split, keys, arithmetic)
    if plant:
        halves = [leaking(fit) for fit in halves]
        fused_fits.check_unseen = lambda seen, scored, where: None
    by_key = {store.key: store for store in stores.values()}
    for fit in [*fits, *halves]:
        run_fit(fit, by_key[fit.store_key], fit_folder(folder, fit))
    fused = list_fused_fits(protocol, training, split, fits, halves)
    fit_fusions(folder, training, fused, stores)
    rows = gather_views({fit_folder(folder, fit): fit for fit in fits}, training)
    return pd.concat([rows, gather_fused(folder, training, fused)], ignore_index=True)


def leaking(fit: FitSpec) -> FitSpec:
    """Return a half's fit that is trained on the held-out patients too."""
    return fit.model_copy(update={"train_views": [*fit.train_views, *fit.held_out_views], "held_out_views": []})


def aucs(rows: pd.DataFrame) -> dict[str, float]:
    """Return each arm's and classifier's mean within-fold AUC."""
    found = {}
    for (arm, candidate), own in rows[rows["split"] == "cv"].groupby(["arm", "candidate"]):
        truth = own["label"] == "1"
        found[f"{arm}/{candidate}"] = cross_validated_auc(
            truth, own["p_1"], own["fold"], own["seed"], own["group_id"]
        ).auc.estimate
    return found


def one_permutation(cohort: Path, place: Path, number: int, plant: bool) -> dict[str, float]:
    """Return the AUCs of one dealing of the labels; what it wrote is taken away."""
    own = permuted(cohort, place / f"permuted-{number}", number)
    folder = place / f"run-{number}"
    found = aucs(held_out(folder, own, PreparedCache(place / "cache"), plant))
    shutil.rmtree(folder)
    return found


def main() -> None:
    """Run the permutations and write their means with Monte-Carlo errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--permutations", type=int, default=50)
    parser.add_argument("--plant", action="store_true")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes, of one thread each")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    found: list[dict[str, float]] = []
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        cohort, numbers = asked.cohort.resolve(), range(asked.permutations)
        with ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as team:
            jobs = [team.submit(one_permutation, cohort, Path(place), number, asked.plant) for number in numbers]
            for done, job in enumerate(as_completed(jobs), start=1):
                found.append(job.result())
                print(f"{done} of {asked.permutations}: {time.perf_counter() - began:.0f} s", flush=True)
    table = pd.DataFrame(found)
    error = table.std(ddof=1) / np.sqrt(len(table))
    summary = {
        name: {"mean": round(float(table[name].mean()), 4), "error": round(float(error[name]), 4)} for name in table
    }
    write_json(
        asked.out,
        {
            "format": "isthmus-leak-permutations/1.0", "permutations": asked.permutations, "planted": asked.plant,
            "auc": summary, "seconds": round(time.perf_counter() - began),
        },
    )  # fmt: skip
    for name, one in summary.items():
        print(f"{name}: {one['mean']:.3f} ± {one['error']:.3f}")


if __name__ == "__main__":
    main()
