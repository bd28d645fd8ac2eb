"""Reads of simulated readers with a model's help, made after the model was trained.

The reading is sequential: the reader reads alone, then sees the model's result and revises. What a reader believes
after it is a weighted mean of both log likelihood ratios (a logarithmic opinion pool: C. Genest, J. V. Zidek, Stat Sci
1 (1986) 114-135); with a set probability the reader gives up an own opinion and takes the model's call over, right or
wrong.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, TableError
from isthmus.files import read_yaml
from isthmus.phantom.readers import ReaderSettings
from isthmus.phantom.reads import UNAIDED, Numbers, stated
from isthmus.phantom.streams import stream
from isthmus.tables.check import write_table

AIDED: Final = "aided"
_LEAST: Final = 5e-4  # what a score of 0.0 may still have been


def aided_reads(
    unaided: pd.DataFrame,
    model: pd.DataFrame,
    settings: ReaderSettings,
    prevalence: Mapping[str, float],
    seed: int,
) -> pd.DataFrame:
    """Return how the readers revise their reads when they are shown a model's result.

    Parameters
    ----------
    unaided : DataFrame
        Reads as :func:`isthmus.phantom.reads.unaided_reads` returns them.
    model : DataFrame
        ``unit_id``, calibrated ``p_<class>`` and ``call``, one row a unit. A blank ``call`` is the likeliest class.
        Reads of units without a row are left out.
    settings : ReaderSettings
        ``reliance`` and ``over_reliance`` of each group.
    prevalence : mapping
        Class to its share where the model was calibrated, in the order of the classes: the model's probability against
        it is its likelihood ratio.
    seed : int
        Of the cohort.

    Returns
    -------
    DataFrame
        The columns of ``unaided``, and ``followed`` (bool): the model's call was taken over as it stood.
    """
    classes = list(prevalence)
    by_unit = model.set_index("unit_id")
    unaided = unaided[unaided["unit_id"].isin(by_unit.index)]
    parts = []
    for number, reader, _, group in settings.readers():
        own = unaided[unaided["reader_id"] == reader].sort_values("unit_id", ignore_index=True)
        shown = by_unit.loc[own["unit_id"]]
        advice = np.log(np.clip(shown[[f"p_{label}" for label in classes]].to_numpy(dtype=float), _LEAST, 1))
        advice -= np.log([prevalence[label] for label in classes])
        weighed = (1 - group.reliance) * read_likelihoods(own, classes) + group.reliance * advice
        follows = stream(seed, "reader follows", number).random(len(own)) < group.over_reliance
        columns = stated(np.where(follows[:, None], advice, weighed), classes)
        call = shown["call"].to_numpy(dtype=object)
        call = np.where(pd.isna(call) | (call == ""), np.array(classes)[advice.argmax(axis=1)], call)
        spread = stream(seed, "aided seconds", number).standard_normal(len(own))
        longer = group.aided_seconds * np.exp(settings.seconds_spread * spread)
        own = own.assign(condition=AIDED, **columns, followed=follows)
        parts.append(
            own.assign(
                call=np.where(follows, call, own["call"]), seconds=(own["seconds"].astype(float) + longer).round(1)
            )
        )
    return pd.concat(parts, ignore_index=True)


def read_likelihoods(reads: pd.DataFrame, classes: Sequence[str]) -> Numbers:
    """Return the log likelihoods [N, K], up to a constant, that reads state by score or by ``p_<class>``."""
    if len(classes) == 2:
        share = np.clip(reads["score"].to_numpy(dtype=float) / 100, _LEAST, 1 - _LEAST)
        return np.column_stack([np.log1p(-share), np.log(share)])
    probabilities = reads[[f"p_{label}" for label in classes]].to_numpy(dtype=float)
    return np.asarray(np.log(np.clip(probabilities, _LEAST, 1)))


def switch_rates(unaided: pd.DataFrame, aided: pd.DataFrame, model: pd.DataFrame) -> pd.DataFrame:
    """Count how the readers' calls moved towards and away from the truth.

    Parameters
    ----------
    unaided, aided : DataFrame
        Reads of the same readers and units.
    model : DataFrame
        ``unit_id``, ``call`` and ``label``.

    Returns
    -------
    DataFrame
        ``experience``, ``model`` (``right`` or ``wrong``), ``reads``, ``right_unaided``, ``right_aided``,
        ``wrong_to_right``, ``right_to_wrong``, ``followed``: counts.
    """
    keys = ["reader_id", "unit_id"]
    both = aided.merge(unaided[[*keys, "call"]], on=keys, suffixes=("", "_before"))
    both = both.merge(model[["unit_id", "label", "call"]], on="unit_id", suffixes=("", "_model"))
    before, after = both["call_before"] == both["label"], both["call"] == both["label"]
    counted = pd.DataFrame(
        {
            "experience": both["experience"],
            "model": np.where(both["call_model"] == both["label"], "right", "wrong"),
            "reads": 1,
            "right_unaided": before,
            "right_aided": after,
            "wrong_to_right": ~before & after,
            "right_to_wrong": before & ~after,
            "followed": both["followed"],
        }
    )
    return counted.groupby(["experience", "model"], sort=False).sum().reset_index()


def write_aided_reads(cohort_folder: Path, predictions: pd.DataFrame, arm: str, destination: Path) -> Path | None:
    """Let a simulated cohort's readers read again with an arm's model, and write all their reads.

    Parameters
    ----------
    cohort_folder : Path
        A cohort; its settings of the readers are read from ``truth/truth.yaml``.
    predictions : DataFrame
        Contract 2, calibrated; rows of other arms, splits and units are not looked at.
    arm : str
        Whose help it is.
    destination : Path
        The table to write (contract 1, ``reads.csv``): unaided and aided reads of the units that the arm predicted.
        ``<stem>_switches.csv`` beside it counts how calls moved (:func:`switch_rates`).

    Returns
    -------
    Path or None
        ``destination``; None where the cohort is not simulated, has no readers, or the arm predicts nothing they read.

    Raises
    ------
    TableError
        When the arm has several rows for a unit.
    CohortError
        When the truth names no readers for a cohort with reads.
    """
    path = Path(cohort_folder) / "truth" / "truth.yaml"
    if not path.is_file():
        return None
    truth = read_yaml(path, name="truth")
    if truth.get("readers") is None:
        return None
    cohort = load_cohort(cohort_folder)
    if cohort.reads is None:
        raise CohortError("truth.yaml names readers and there is no reads.csv", where=str(cohort_folder))
    settings = ReaderSettings.model_validate(truth["readers"])
    aided, unaided, models = [], [], []
    for target, rows in cohort.reads.groupby("target", sort=False):
        model = _of_arm(predictions, arm, str(target), cohort.target(str(target)).unit, set(rows["unit_id"]))
        if model.empty:
            continue
        prevalence = truth["prevalence"][str(target)]
        helped = aided_reads(rows, model, settings, prevalence, int(truth["seed"]))
        aided.append(helped)
        unaided.append(rows[rows["unit_id"].isin(model["unit_id"]) & (rows["condition"] == UNAIDED)])
        models.append(model)
    if not aided:
        return None
    destination = Path(destination)
    before, after, shown = (pd.concat(parts, ignore_index=True) for parts in (unaided, aided, models))
    write_table(destination, pd.concat([before, after.drop(columns="followed")], ignore_index=True))
    write_table(destination.with_name(f"{destination.stem}_switches.csv"), switch_rates(before, after, shown))
    return destination


def _of_arm(predictions: pd.DataFrame, arm: str, target: str, unit: str, read: set[str]) -> pd.DataFrame:
    chosen = (
        (predictions["arm"] == arm)
        & (predictions["target"] == target)
        & (predictions["unit"] == unit)
        & predictions["split"].isin(["test", "external"])
        & predictions["unit_id"].isin(read)
    )
    model = predictions[chosen]
    if model["unit_id"].duplicated().any():
        twice = model.loc[model["unit_id"].duplicated(), "unit_id"].iloc[0]
        raise TableError(f"arm {arm!r} has several rows for unit {twice!r}", expected="one model's predictions")
    return model
