"""How near simulated stills come to real ones: speckle, texture, and classifiers that try to tell them apart.

    python benchmarks/realism.py --data DATA [--cohort COHORT] [--nodules N] [--panels DIR]

Real pictures: DDTI stills at 76 pixels a centimetre (its commonest scale) and five thyroid sweeps of two more
scanners. Simulated ones: a cohort folder, or the preset `stills` simulated on the spot. Patches are matched: the same
scale, JPEG quality, place (inside the nodule, or level with it and beside it) and choice (the most even in brightness).
Writes `results/realism*` and `docs/realism.png`; with --panels also real and simulated pictures side by side, which
stay outside the repository because they show real patients' pictures.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from patches import DYNAMIC_RANGE_DB, SIDE, TISSUES, Patch, cut_patches, features, random_convolutions
from real_pictures import Still, data_folder, of_cine_frames, of_cohort
from realism_figures import draw_distributions, draw_panels

import tables
from isthmus.statistics.cross_validated import cross_validated_auc

DDTI_SPACING_MM = 10 / 76
CINE_SPACING_MM = 0.0923
DDTI_JPEG_QUALITY = 85
ALIKE = "linear-9"
"""The simulated scanner whose description is that of DDTI's: a 9 MHz linear probe, plain speckle, 65 dB."""
REPLICATES, FOLDS = 2000, 5


def main() -> None:
    """Measure, compare, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with ddti/ and thyroid_cine_frames/ (or ISTHMUS_DATA)")
    parser.add_argument("--cohort", type=Path, help="simulated cohort of B-mode stills; default: made on the spot")
    parser.add_argument("--nodules", type=int, default=200, help="of the cohort made on the spot")
    parser.add_argument("--panels", type=Path, help="folder for pictures side by side; outside the repository")
    options = parser.parse_args()
    data = data_folder(options.data)
    with tempfile.TemporaryDirectory() as scratch:
        ddti, cine = _real(data, Path(scratch))
        cohort = options.cohort or _simulated(Path(scratch) / "simulated", options.nodules)
        simulated = list(of_cohort(cohort, "simulated"))
        _measure(ddti, cine, simulated)
        draw_distributions(*(_table(patches) for patches in _matched_to_ddti(ddti, simulated)), ALIKE, simulated)
        if options.panels:
            draw_panels(ddti + cine, simulated, options.panels)


def _real(data: Path, scratch: Path) -> tuple[list[Still], list[Still]]:
    from isthmus.cohort.sources.ddti import import_ddti

    import_ddti(data / "ddti", scratch / "ddti")
    stills = list(of_cohort(scratch / "ddti", "DDTI"))
    alike = [still for still in stills if abs(still.spacing_mm / DDTI_SPACING_MM - 1) <= 0.03]
    frames = data / "thyroid_cine_frames"
    return alike, list(of_cine_frames(frames)) if frames.is_dir() else []


def _simulated(folder: Path, nodules: int) -> Path:
    from isthmus.phantom.cohort import simulate

    simulate("stills", folder, nodules, draws=20_000)
    return folder


def _matched_to_ddti(ddti: Sequence[Still], simulated: Sequence[Still]) -> tuple[list[Patch], list[Patch]]:
    return (
        list(cut_patches(ddti, DDTI_SPACING_MM, None)),
        list(cut_patches(simulated, DDTI_SPACING_MM, DDTI_JPEG_QUALITY)),
    )


def _measure(ddti: Sequence[Still], cine: Sequence[Still], simulated: Sequence[Still]) -> None:
    real, made = _matched_to_ddti(ddti, simulated)
    alike = [patch for patch in made if patch.device == ALIKE]
    sweeps = list(cut_patches(cine, DDTI_SPACING_MM, DDTI_JPEG_QUALITY))
    facts = {
        "patch": f"{SIDE} x {SIDE} pixels, {SIDE * DDTI_SPACING_MM:.1f} mm",
        "decompressed": f"linear log compression of {DYNAMIC_RANGE_DB:.0f} dB assumed for every source",
        "DDTI": _counted(real),
        "simulated": _counted(made),
        ALIKE: _counted(alike),
        "sweeps": _counted(sweeps),
    }
    words = (
        "Speckle and texture of real and simulated stills on matched patches. Median over patients of the patients' "
        "means, with 95 % intervals from resampled patients; d: standardised difference, simulated minus DDTI, in "
        f"standard deviations between patients. `{ALIKE}` is the simulated scanner described like DDTI's; `sweeps` are "
        "two more real scanners (five patients): how far real scanners lie from each other."
    )
    sources = {"all simulated": made, ALIKE: alike, "sweeps": sweeps}
    tables.write("realism", facts, _feature_rows(real, sources), words)
    words = (
        "Classifiers that try to tell patches apart; AUC of held-out patients, mean of five folds of patients (four "
        "for the sweeps), with 95 % intervals over patients. 0.5: they cannot; 1: always. `random convolutions` see "
        "patches without brightness and contrast. Two real scanners are the yardstick: what real pictures reach "
        "against other real pictures."
    )
    tables.write("realism_classifiers", facts, _classifier_rows(real, sources), words)
    if cine:
        finer = list(cut_patches(cine, CINE_SPACING_MM, 95))
        fine = {"all simulated": list(cut_patches(simulated, CINE_SPACING_MM, 95))}
        fine |= {name: [p for p in fine["all simulated"] if p.device == name] for name in ("linear-12", "linear-15")}
        facts = {"scale": f"{CINE_SPACING_MM} mm a pixel", "sweeps": _counted(finer)}
        words = "The same against the sweeps' two scanners at their own, finer scale; five patients: a description."
        tables.write("realism_sweeps", facts, _feature_rows(finer, fine), words)


def _counted(patches: Sequence[Patch]) -> str:
    return f"{len(patches)} patches of {len({patch.patient for patch in patches})} patients"


def _table(patches: Sequence[Patch]) -> pd.DataFrame:
    rows = [
        {"patient": patch.patient, "tissue": patch.tissue, "device": patch.device, **features(patch)}
        for patch in patches
    ]
    return pd.DataFrame(rows)


def _feature_rows(real: Sequence[Patch], others: dict[str, list[Patch]]) -> list[dict[str, Any]]:
    measured = _table(real)
    compared = {name: _table(patches) for name, patches in others.items() if patches}
    rows = []
    for tissue in TISSUES:
        own = _by_patient(measured, tissue)
        for feature in own.columns:
            row = {"tissue": tissue, "feature": feature, "real": _shown(own[feature])}
            for name, table in compared.items():
                values = _by_patient(table, tissue)[feature]
                row[name] = _shown(values)
                row[f"d, {name}"] = _difference(own[feature], values)
            rows.append(row)
    return rows


def _by_patient(table: pd.DataFrame, tissue: str) -> pd.DataFrame:
    return table[table["tissue"] == tissue].drop(columns=["tissue", "device"]).groupby("patient").mean()


def _draws(values: pd.Series, purpose: int) -> NDArray[np.float64]:
    """Return values of resampled patients [REPLICATES, n]."""
    known = values.dropna().to_numpy(dtype=np.float64)
    random = np.random.default_rng(purpose)
    return known[random.integers(len(known), size=(REPLICATES, len(known)))]


def _shown(values: pd.Series) -> str:
    if values.notna().sum() < 2:
        return "–"
    low, high = np.quantile(np.median(_draws(values, 1), axis=1), [0.025, 0.975])
    return f"{values.median():.3g} ({low:.3g} to {high:.3g})"


def _difference(real: pd.Series, made: pd.Series) -> str:
    if min(real.notna().sum(), made.notna().sum()) < 2:
        return "–"
    drawn = _standardised(_draws(real, 2), _draws(made, 3))
    estimate = _standardised(real.dropna().to_numpy()[None], made.dropna().to_numpy()[None])[0]
    low, high = np.quantile(drawn[np.isfinite(drawn)], [0.025, 0.975])
    return f"{estimate:+.2f} ({low:+.2f} to {high:+.2f})"


def _standardised(real: NDArray[np.float64], made: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt((real.var(axis=1, ddof=1) + made.var(axis=1, ddof=1)) / 2)
        return np.asarray((made.mean(axis=1) - real.mean(axis=1)) / spread)


def _classifier_rows(real: Sequence[Patch], others: dict[str, list[Patch]]) -> list[dict[str, Any]]:
    rows = []
    for tissue in TISSUES:
        own = [patch for patch in real if patch.tissue == tissue]
        for name, patches in others.items():
            made = [patch for patch in patches if patch.tissue == tissue]
            folds = min(FOLDS, len({patch.patient for patch in made}))
            if folds >= 2:
                rows.append({"tissue": tissue, "DDTI against": name, **_told_apart(own, made, folds)})
    return rows


def _told_apart(real: Sequence[Patch], made: Sequence[Patch], folds: int) -> dict[str, str]:
    """Return the AUC of each classifier, real against made, patients held out."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    every = [*real, *made]
    labels = np.arange(len(every)) >= len(real)
    groups = np.array([f"{patch.source} {patch.patient}" for patch in every])
    measured = _table(every).drop(columns=["patient", "tissue", "device"]).to_numpy(dtype=np.float64)
    convolved = random_convolutions(np.stack([patch.grey for patch in every]))

    def logistic(strength: float) -> Any:
        fit = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
        return make_pipeline(SimpleImputer(), StandardScaler(), fit)

    boosting = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.08, random_state=0)
    tried = {
        "features, logistic": (logistic(1.0), measured),
        "features, boosting": (boosting, measured),
        "random convolutions": (logistic(0.01), convolved),
    }
    return {name: _held_out_auc(model, values, labels, groups, folds) for name, (model, values) in tried.items()}


def _held_out_auc(
    model: Any, values: NDArray[np.float64], labels: NDArray[np.bool_], groups: NDArray[Any], folds: int
) -> str:
    from sklearn.model_selection import StratifiedGroupKFold

    fold_of, scores = np.zeros(len(labels), dtype=int), np.zeros(len(labels))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for fold, (fit, held_out) in enumerate(splitter.split(values, labels, groups)):
        model.fit(values[fit], labels[fit])
        fold_of[held_out], scores[held_out] = fold, model.predict_proba(values[held_out])[:, 1]
    auc = cross_validated_auc(labels, scores, fold_of, np.zeros(len(labels)), groups).auc
    return f"{auc.estimate:.3f} ({auc.low:.3f} to {auc.high:.3f})"


if __name__ == "__main__":
    main()
