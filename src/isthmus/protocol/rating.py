"""Doctors rate a run's heat maps: the form made from it, and what came back analysed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.errors import InputError
from isthmus.explain.rating_form import RatingForm, write_rating_form
from isthmus.files import read_json
from isthmus.protocol.heat_maps import explained_titles
from isthmus.protocol.run_folder import Run, open_run
from isthmus.report.heat_ratings import read_ratings
from isthmus.report.heat_ratings_page import write_rating_report
from isthmus.tables.check import read_table
from isthmus.tables.ratings import KEY


def make_form(
    run: Path, destination: Path, *, arms: Sequence[str] = (), cases: int = 40, seed: int = 0, show_score: bool = False
) -> RatingForm:
    """Make the form from a finished run.

    Parameters
    ----------
    run : Path
        Run folder.
    destination : Path
        Folder to make.
    arms : sequence of str
        Explained arms; default the primary arm where it is explained, else the first explained one.
    cases, seed, show_score
        As :func:`isthmus.explain.rating_form.write_rating_form`.

    Raises
    ------
    InputError
        When the run is not finished, or an arm has no heat maps.
    """
    opened = open_run(run)
    arms_of = opened.protocol.arms
    explained = list(explained_titles({key: arms_of[key] for key in opened.protocol.explain.arms}))
    if not explained:
        raise InputError("this run has no heat maps", where=str(run), hint="--set explain.arms=[ARM] makes some")
    primary = opened.protocol.primary.arm
    chosen = list(dict.fromkeys(arms)) or [primary if primary in explained else explained[0]]
    unknown = [arm for arm in chosen if arm not in explained]
    if unknown:
        raise InputError(
            f"arm {unknown[0]} has no heat maps", where=str(run), expected=f"one of {', '.join(explained)}"
        )
    return write_rating_form(
        {arm: run / "explanations" / arm for arm in chosen},
        destination,
        title=opened.protocol.title,
        positive="suspicious" if opened.evidence.get("reference") == "tirads" else opened.evidence["target"],
        cases=cases,
        seed=seed,
        show_score=show_score,
        marks=_marks(opened),
    )


def analyse(run: Path, ratings: Sequence[Path], key: Path, destination: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Analyse the readers' files; return the evidence and the arms' names.

    Raises
    ------
    InputError
        When the files, the key and the run do not belong together; bad values are named with file and line.
    """
    opened = open_run(run)
    table = read_ratings(ratings, key)
    arms = explained_titles(opened.protocol.arms)
    foreign = sorted(set(table["arm"]) - set(arms))
    if foreign:
        raise InputError(
            f"the key names arm {foreign[0]}, which this run has not", where=str(key), expected=", ".join(arms)
        )
    _check_views(opened, table, key)
    cases = len(read_table(key, KEY))
    evidence = write_rating_report(
        table, cases, destination, title=opened.protocol.title, arms=arms, marks=_marks(opened)
    )
    return evidence, arms


def _check_views(run: Run, ratings: pd.DataFrame, key: Path) -> None:
    """Refuse a key that was made from another run of the same arms."""
    for arm, rows in ratings.groupby("arm"):
        path = run.folder / "explanations" / str(arm) / "localisation.csv"
        known = set(pd.read_csv(path, dtype=str)["view_id"]) if path.is_file() else set()
        unknown = sorted(set(rows["view_id"]) - known)
        if unknown:
            raise InputError(
                f"the key names view {unknown[0]}, of which arm {arm} of this run has no heat map", where=str(key),
                hint="give the run that the form was made from",
            )  # fmt: skip


def _marks(run: Run) -> list[str]:
    simulated = read_json(run.folder / "manifest.json").get("cohort", {}).get("simulated", False)
    return [mark for mark, holds in (("SMOKE", not run.protocol.claims), ("SIMULATED", simulated)) if holds]
