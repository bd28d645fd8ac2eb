"""Who trains, who tunes, who tests: always whole groups, always every class, always the same for the same seed."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from isthmus.errors import CohortError, ProtocolError

PARTS = ("train", "tune", "cv")


def cross_validation_split(examples: pd.DataFrame, folds: int, seed: int, tune_fraction: float = 0.2) -> pd.DataFrame:
    """Deal groups into stratified folds, and set a part of each fold's training groups aside for tuning.

    Parameters
    ----------
    examples : DataFrame
        Rows with ``group_id``, ``nodule_id`` and ``label``, as :meth:`isthmus.cohort.cohort.Cohort.examples` gives.
    folds : int
        Number of folds, at least 2.
    seed : int
        Same seed, same split.
    tune_fraction : float
        Share of a fold's training groups in ``tune``, stratified by class, at least one group of each.

    Returns
    -------
    DataFrame
        ``seed``, ``fold``, ``group_id``, ``part``: in each fold every group once, as ``train``, ``tune`` or ``cv``
        (held out).

    Raises
    ------
    CohortError
        When a part of a fold would lack a class; the message has the counts and what to do.
    """
    if folds < 2 or not 0 < tune_fraction < 1:
        raise ProtocolError(
            f"folds {folds}, tune_fraction {tune_fraction}", expected="at least 2 folds, a fraction between 0 and 1"
        )
    units = examples[["group_id", "nodule_id", "label"]].drop_duplicates().sort_values(["group_id", "nodule_id"])
    try:
        return _dealt(units, folds, seed, tune_fraction)
    except CohortError as error:
        raise CohortError(
            error.what, where=error.where, expected=error.expected,
            hint=_remedy(units, folds, seed, tune_fraction) or error.hint,
        ) from None  # fmt: skip


def _dealt(units: pd.DataFrame, folds: int, seed: int, tune_fraction: float) -> pd.DataFrame:
    strata = strata_of(units)
    _enough_groups(units, folds)
    held_out = _deal(units, folds, seed)
    parts = []
    for fold in range(folds):
        parts.append(one_fold(strata, held_out[fold], tune_fraction, seed, fold))
        _every_class(units, parts[-1], folds)
    return pd.concat(parts, ignore_index=True)


def _remedy(units: pd.DataFrame, asked: int, seed: int, tune_fraction: float) -> str | None:
    """Return the largest number of folds that leaves every part every class, found by trying; None without one."""
    counts = _counts(units)
    for folds in range(min(asked, int(counts.min())), 1, -1) if len(counts) > 1 else ():
        try:
            _dealt(units, folds, seed, tune_fraction)
        except CohortError:
            continue
        return f"{folds} folds work with seed {seed} (--set splits.cross_validation.folds={folds})"
    return None


def one_fold(strata: pd.Series, held_out: Collection[str], tune_fraction: float, seed: int, fold: int) -> pd.DataFrame:
    """Return the rows of one fold: ``cv`` for the groups held out, ``tune`` for a share of the others, else ``train``.

    Parameters
    ----------
    strata : Series
        One class a group, as :func:`strata_of` gives it.
    held_out : collection of str
        Their ``group_id``.
    tune_fraction : float
        Drawn in each class by itself.
    seed, fold : int
        What the draw depends on.
    """
    apart = strata.index.isin(held_out)
    tune = draw_groups(strata[~apart], tune_fraction, np.random.default_rng([seed, fold]))
    part = np.where(apart, "cv", np.where(strata.index.isin(tune), "tune", "train"))
    return pd.DataFrame({"seed": seed, "fold": fold, "group_id": strata.index, "part": part})


def fixed_validation_split(
    examples: pd.DataFrame, column: str, seed: int, tune_fraction: float = 0.2
) -> pd.DataFrame | None:
    """Return the one fold that a cohort's own split makes: it trains on `train` and holds out `tune`.

    Parameters
    ----------
    examples : DataFrame
        As for :func:`cross_validation_split`, with the column of parts.
    column : str
        Holds ``train``, ``tune`` or nothing; a group without a part is trained on.
    seed : int
        Draws the tuning part, which chooses epochs: a share of the training groups, so that what the cohort holds out
        for validation has chosen nothing.
    tune_fraction : float
        Its share, stratified by class.

    Returns
    -------
    DataFrame or None
        As :func:`cross_validation_split`, fold 0 only; None where no example is of a part ``tune``.

    Raises
    ------
    CohortError
        When a group stands on two sides, or a part lacks a class.
    """
    held_out = examples[column] == "tune"
    if not held_out.any():
        return None
    _whole_groups(held_out, examples["group_id"], "both in the part 'tune' and outside it", "split")
    units = examples[["group_id", "nodule_id", "label"]].drop_duplicates().sort_values(["group_id", "nodule_id"])
    fold = one_fold(strata_of(units), set(examples.loc[held_out, "group_id"]), tune_fraction, seed, 0)
    _every_class(units, fold, 1)
    return fold


def check_split(split: pd.DataFrame, *, every_group: bool = True) -> None:
    """Prove that no group stands on two sides, and that each is held out exactly once a seed.

    Parameters
    ----------
    split : DataFrame
        As :func:`cross_validation_split` returns, of one or more seeds.
    every_group : bool
        False where the cohort's own validation part alone is held out: then the others never are.

    Raises
    ------
    CohortError
        With the groups concerned.
    """
    twice = split[split.duplicated(["seed", "fold", "group_id"], keep=False)]
    if not twice.empty:
        row = twice.iloc[0]
        raise CohortError(
            f"{twice['group_id'].nunique()} groups stand on two sides of a split, e.g. {row['group_id']!r}",
            where=f"seed {row['seed']}, fold {row['fold']}",
            expected="each group once in a fold",
        )
    for seed, rows in split.groupby("seed") if every_group else ():
        ids = sorted(set(rows["group_id"]))
        counts = rows["group_id"][rows["part"] == "cv"].value_counts().reindex(ids, fill_value=0)
        wrong = counts[counts != 1]
        if not wrong.empty:
            raise CohortError(
                f"{len(wrong)} groups are not held out exactly once, e.g. {wrong.index[0]!r} {wrong.iloc[0]} times",
                where=f"seed {seed}",
                expected="each group in 'cv' of one fold",
            )


def test_split(examples: pd.DataFrame, rule: Mapping[str, Any]) -> list[str]:
    """Return the groups that are kept for the test.

    Parameters
    ----------
    examples : DataFrame
        As :meth:`isthmus.cohort.cohort.Cohort.examples` gives.
    rule : mapping
        ``{'column': 'split'}``: rows whose fixed split is ``test`` (another column of ``examples`` by its name), or
        ``{'fraction': 0.2, 'seed': 0}``: a random part, stratified by class.

    Returns
    -------
    list of str
        Sorted ``group_id``.

    Raises
    ------
    CohortError
        When a group stands on two sides, or the test part is empty or lacks a class.
    ProtocolError
        When the rule is none of these.
    """
    units = examples.drop_duplicates("nodule_id").sort_values(["group_id", "nodule_id"])
    keys = set(rule)
    if keys == {"column"}:
        groups = _fixed(units, str(rule["column"]))
    elif keys in ({"fraction"}, {"fraction", "seed"}) and 0 < float(rule["fraction"]) < 1:
        generator = np.random.default_rng(int(rule.get("seed", 0)))
        groups = draw_groups(strata_of(units), float(rule["fraction"]), generator)
    else:
        raise ProtocolError(
            f"test split {dict(rule)!r}", where="splits.test", expected="{column: split} or {fraction: 0.2, seed: 0}"
        )
    chosen = units["group_id"].isin(groups)
    counts = {name: _counts(units[side]) for name, side in (("test", chosen), ("the rest", ~chosen))}
    classes = sorted(set(units["label"]))
    if any(len(found) < len(classes) for found in counts.values()):
        shown = "; ".join(f"{name}: {_words(found, classes)}" for name, found in counts.items())
        raise CohortError(
            f"a side of the test split lacks a class ({shown})",
            where="splits.test",
            hint="choose another rule, or cross-validate without a test part",
        )
    return sorted(groups)


# pytest collects functions by this prefix; this one is no test.
test_split.__test__ = False  # type: ignore[attr-defined]


def _fixed(units: pd.DataFrame, column: str) -> list[str]:
    name = "fixed_split" if column == "split" else column
    if name not in units or units[name].isna().all():
        raise CohortError(
            f"no example has a value in column {column!r}",
            where="splits.test",
            hint="fill the column 'split' of nodules.csv, or use {fraction: 0.2}",
        )
    is_test = units[name] == "test"
    _whole_groups(is_test, units["group_id"], "on both sides of the fixed split", column)
    return sorted(set(units["group_id"][is_test]))


def _whole_groups(side: pd.Series, groups: pd.Series, where: str, column: str) -> None:
    """Refuse a column that parts the nodules of a group."""
    sides = side.groupby(groups).nunique()
    mixed = sorted(sides.index[sides > 1])
    if mixed:
        raise CohortError(
            f"{len(mixed)} groups stand {where}: {', '.join(mixed[:10])}",
            where=f"nodules.csv, column {column!r}",
            expected="one side for all nodules of a group",
        )


def strata_of(units: pd.DataFrame) -> pd.Series:
    """Return one class a group, indexed by group: where a group has several, the rarest of the cohort."""
    frequency = units["label"].value_counts()
    order = sorted(frequency.index, key=lambda label: (frequency[label], label))
    rank = units["label"].map({label: position for position, label in enumerate(order)})
    rarest = rank.groupby(units["group_id"]).min().sort_index()
    return rarest.map(dict(enumerate(order)))


def _deal(units: pd.DataFrame, folds: int, seed: int) -> list[list[str]]:
    try:
        from sklearn.model_selection import StratifiedGroupKFold
    except ImportError as error:
        raise CohortError(
            "splitting needs scikit-learn, which is not installed", hint="pip install 'isthmus[train]'"
        ) from error
    dealer = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    groups = units["group_id"].to_numpy(dtype=object)
    # The label goes in as its rank: the split may not depend on how classes are called.
    codes = pd.factorize(units["label"], sort=True)[0]
    return [sorted(set(groups[held_out])) for _, held_out in dealer.split(groups, codes, groups)]


def draw_groups(strata: pd.Series, fraction: float, generator: np.random.Generator) -> list[str]:
    """Return a share of the groups, drawn in each class by itself, at least one of each."""
    chosen: list[str] = []
    for _, groups in sorted(strata.groupby(strata)):
        ids = groups.index.to_numpy(dtype=object)
        count = max(1, round(fraction * len(ids)))
        chosen += [str(group) for group in generator.permutation(ids)[:count]]
    return sorted(chosen)


def _counts(units: pd.DataFrame) -> pd.Series:
    return units.groupby("label")["group_id"].nunique()


def _words(counts: pd.Series, classes: list[str]) -> str:
    return ", ".join(f"class {label!r} {int(counts.get(label, 0))} groups" for label in classes)


def _enough_groups(units: pd.DataFrame, folds: int) -> None:
    counts = _counts(units)
    classes = sorted(counts.index)
    if len(classes) < 2:
        raise CohortError(
            f"only one class: {_words(counts, classes)}", expected="two or more classes", hint="choose another target"
        )
    smallest = int(counts.min())
    if smallest < folds:
        raise CohortError(
            f"a fold would lack a class: {_words(counts, classes)}, for {folds} folds",
            expected=f"at least {folds} groups in every class",
            hint="no number of folds works: gather more cases of the smaller class, or choose another target",
        )


def _every_class(units: pd.DataFrame, fold: pd.DataFrame, folds: int) -> None:
    classes = sorted(set(units["label"]))
    side = units["group_id"].map(fold.set_index("group_id")["part"])
    for name in PARTS:
        counts = _counts(units[side == name])
        if len(counts) < len(classes):
            raise CohortError(
                f"fold {fold['fold'].iloc[0]} of {folds} lacks a class in its {name!r} part: {_words(counts, classes)}",
                expected="every class in train, tune and cv",
                hint="gather more cases of the smaller class: it must be trained on, tuned on and held out",
            )
