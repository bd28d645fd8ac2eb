"""The demo: a virtual cohort, a whole study on it, and one unseen case, on a bare machine without any data."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.errors import OutputError
from isthmus.explain.prediction import predict_files
from isthmus.files import locked, make_folder, new_folder, read_json, refuse_existing, write_json
from isthmus.phantom.cohort import simulate
from isthmus.phantom.patients import draw_population
from isthmus.phantom.preset import load_preset
from isthmus.phantom.rendering import render_nodule, rows_file
from isthmus.progress import Progress
from isthmus.protocol.run import Say, run
from isthmus.protocol.run_folder import Run, open_run
from isthmus.report.reading import interval, number

PRESET: Final = "multimodal"
PROTOCOL: Final = "demo"
NODULES: Final = 360
"""As many as two CPU cores draw and learn from in four minutes."""

_UNSEEN_SEED, _UNSEEN_NODULES = 1_000_003, 24
# The unseen case is of other virtual patients: of so many nodules of another seed, the first of the positive class.


@dataclass(frozen=True)
class Demo:
    """A finished demo.

    Parameters
    ----------
    folder : Path
        With `cohort/`, `run/`, `unseen/` (the case as its hospital's file) and `case/` (what was made of it).
    run : Run
        The study.
    picture : Path
        The unseen case with its heat map.
    case : dict
        What was predicted of it, as `predictions.json` has it, with its true class as `truth`.
    seconds : float
        What this call took.
    """

    folder: Path
    run: Run
    picture: Path
    case: dict[str, Any]
    seconds: float

    def lines(self) -> list[str]:
        """Return the five lines that the command ends with."""
        minutes, seconds = divmod(round(self.seconds), 60)
        return [
            f"Result: {result_in_words(self.run)}",
            f"Report: {self.run.report}",
            f"Case:   {self.picture} (unseen; score {self.case['probability']:.2f}, truth: {self.case['truth']})",
            "Next:   isthmus run wang2025 --cohort YOUR_COHORT --out YOUR_RUN --profile small",
            f"Time:   {minutes} min {seconds:02} s",
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints with `--json`."""
        return {**self.run.to_json(), "case": {**self.case, "picture": str(self.picture)}, "seconds": self.seconds}


def demo(
    out: Path | str,
    nodules: int = NODULES,
    seed: int = 0,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Demo:
    """Simulate a cohort, run the demo's protocol on it, and predict one case that no network has seen.

    Parameters
    ----------
    out : Path
        Folder to make.
    nodules : int
        Of the virtual cohort.
    seed : int
        Of the virtual cohort.
    resume : bool
        Go on with a demo that was stopped; what is finished is kept.
    progress, say : callable, optional
        Called with what, done, total; and with lines for the user.

    Returns
    -------
    Demo

    Raises
    ------
    OutputError
        When the folder exists without `resume`, or holds something else.
    CohortError
        When so few nodules cannot be divided as the protocol says.
    """
    began = time.monotonic()
    folder = Path(out)
    _claim(folder, nodules, seed, resume)
    with locked(folder / ".lock"):
        cohort = _simulated(folder / "cohort", nodules, seed, progress)
        finished = _studied(folder / "run", cohort.folder, progress, say)
        view, truth = _unseen_case(folder / "unseen", seed, finished)
        case, picture = _predicted(folder, finished, view)
        case["truth"] = truth
    return Demo(folder, finished, picture, case, round(time.monotonic() - began, 1))


def _claim(folder: Path, nodules: int, seed: int, resume: bool) -> None:
    asked = {"format": "isthmus-demo/1.0", "preset": PRESET, "nodules": nodules, "seed": seed}
    kept = folder / "demo.json"
    if not kept.is_file():
        refuse_existing(folder)
        make_folder(folder)
        write_json(kept, asked)
    elif not resume:
        raise OutputError(
            "this demo exists", where=str(folder), hint="add --resume to go on with it, or choose another --out"
        )
    elif (found := read_json(kept, name="demo")) != asked:
        raise OutputError(
            f"this demo has {found['nodules']} nodules and seed {found['seed']}, not {nodules} and {seed}",
            where=str(folder),
            hint="repeat its --nodules and --seed, or choose another --out",
        )


def _simulated(folder: Path, nodules: int, seed: int, progress: Progress | None) -> Cohort:
    if not folder.is_dir():
        simulate(PRESET, folder, nodules, seed, progress=progress)
    return load_cohort(folder)


def _studied(folder: Path, cohort: Path, progress: Progress | None, say: Say | None) -> Run:
    if (folder / "manifest.json").is_file():
        return open_run(folder)
    return run(PROTOCOL, cohort, folder, resume=True, progress=progress, say=say)


def _unseen_case(folder: Path, seed: int, finished: Run) -> tuple[dict[str, Any], str]:
    """Draw one view, for the primary arm, of other patients' nodule; return its row of `views.csv` and its class."""
    preset, other_seed = load_preset(PRESET), seed + _UNSEEN_SEED
    population = draw_population(preset, _UNSEEN_NODULES, other_seed)
    target = preset.target
    truth = population.nodules[f"true_{target.name}"].astype(str)
    modality = finished.protocol.arms[finished.protocol.primary.arm].view.modality
    views = population.views[population.views["modality"] == modality]
    seen = population.nodules["nodule_id"].isin(views["nodule_id"])
    nodule = _row(population.nodules[seen & (truth == list(target.classes)[-1])])
    view = _row(views[views["nodule_id"] == nodule["nodule_id"]])
    if not folder.is_dir():
        with new_folder(folder) as partial:
            render_nodule(partial, other_seed, nodule, [view], preset.sites[nodule["site"]].habits)
    (row,) = read_json(rows_file(folder, nodule["nodule_id"]))["views"]
    return {**row, "path": folder / row["path"]}, list(target.classes.values())[-1]


def _row(table: pd.DataFrame) -> dict[str, Any]:
    return {str(name): value for name, value in table.iloc[0].items()}


def _predicted(folder: Path, finished: Run, view: dict[str, Any]) -> tuple[dict[str, Any], Path]:
    """Return what the primary arm's model says of a view, and the view with its heat map."""
    out = folder / "case"
    if not out.is_dir():
        bundle = finished.folder / "arms" / finished.protocol.primary.arm / "bundle"
        predict_files(bundle, [view["path"]], out, box=",".join(view["box"].split()), explain=True)
    (case,) = read_json(out / "predictions.json", name="prediction")["predictions"]
    return case, next((out / "overlays").iterdir())


def result_in_words(finished: Run) -> str:
    """Return who wins the primary contrast on the test set, or that it is a tie, and what an ideal observer reaches."""
    evidence, primary = finished.evidence, finished.protocol.primary
    split = "test" if "test" in evidence["arms"][primary.arm] else "cv"
    contrast = next(
        one for one in evidence["comparisons"] if one["primary"] and one["split"] == split and one["measure"] == "auc"
    )
    aucs = {key: evidence["arms"][key][split]["auc"] for key in (primary.arm, primary.against)}
    names = {key: finished.protocol.title_of(key) for key in aucs}
    words = " against ".join(f"{names[key]} {interval(auc)}" for key, auc in aucs.items())
    ideal = evidence["ideal_observer"]["arms"][primary.arm]["splits"][split]["observer"]["estimate"]
    sizes = {evidence["arms"][key][split]["n"] for key in aucs}
    shared = "" if sizes == {contrast["n"]} else f" on the {contrast['n']} nodules that both show"
    return (
        f"{_verdict(contrast, names)}: AUC {words}, difference {interval(contrast)}{shared}; the best that "
        f"{names[primary.arm]} allows: {number(ideal)}"
    )


def _verdict(contrast: dict[str, Any], names: dict[str, str]) -> str:
    if contrast["low"] is None or contrast["low"] <= 0 <= contrast["high"]:
        return "a tie"
    return f"{names[contrast['a'] if contrast['difference'] > 0 else contrast['b']]} wins"
