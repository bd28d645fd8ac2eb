"""Evaluate over several runs: their arms in one table, paired on common nodules, each with its frozen thresholds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.errors import InputError
from isthmus.files import read_json, read_yaml
from isthmus.protocol.class_calls import picture_rows
from isthmus.protocol.run_folder import SEEDS, Run, open_run
from isthmus.report.context import ArmFacts, Check
from isthmus.report.evaluate import evaluate
from isthmus.report.reading import in_order, plural, split_name
from isthmus.report.seeds import KEPT_ASIDE
from isthmus.tables.cases import CASES_TABLE, read_cases
from isthmus.tables.predictions import DEFAULTS, read_predictions


@dataclass(frozen=True)
class _Source:
    """A run, or a table of scores."""

    name: str
    rows: pd.DataFrame
    run: Run | None
    fingerprint: str


def evaluate_runs(
    paths: Sequence[Path | str],
    out: Path | str,
    *,
    reference: str = "unknown",
    **options: Any,
) -> dict[str, Any]:
    """Evaluate the arms of several runs, and of tables beside them, as one.

    Parameters
    ----------
    paths : sequence of Path
        Run folders and tables (contract 2). An arm whose name several of them have is called `NAME/arm`.
    out : Path
        A new folder, as for :func:`isthmus.report.evaluate.evaluate`.
    reference : str
        Where the labels come from, if no run says so.
    options
        As there: ``reads``, ``cases``, ``reference_arm``, ``positive``, ``progress`` and so on. Of one run the named
        contrasts are those of its protocol, unless ``reference_arm`` or ``primary`` asks for others.

    Returns
    -------
    dict
        The evidence. Arms are compared on the nodules that both have; where their runs dealt them into other folds,
        each arm's influence values are those of its own folds.

    Raises
    ------
    InputError
        When a threshold or recalibration is asked for, when runs of other cohorts or targets are given, or a nodule
        has two labels.
    """
    _check_frozen(paths, options)
    sources = _named_apart([_read(Path(path)) for path in paths])
    sources = _as_the_runs(sources)
    _check_cohorts(sources)
    rows, seed_rows, frozen, titles = [], [], dict[str, Any](), dict[str, ArmFacts]()
    classes, pictures = list[str](), list[pd.DataFrame]()
    many = Counter(arm for source in sources for arm in set(source.rows["arm"]))
    for source in sources:
        names = {arm: f"{source.name}/{arm}" if many[arm] > 1 else arm for arm in dict.fromkeys(source.rows["arm"])}
        rows.append(source.rows.assign(arm=source.rows["arm"].map(names)))
        if source.run is not None:
            content = read_json(source.run.folder / "frozen.json", name="frozen")
            kept, classes = content["arms"], content["classes"]
            frozen |= {names[arm]: kept[arm] for arm in names}
            single = picture_rows(source.run.folder / "predictions_views.parquet", classes, content)
            pictures += [] if single is None else [single.assign(arm=single["arm"].map(names))]
            titles |= {names[arm]: _facts(source, arm, many[arm] > 1) for arm in names}
            options |= _contrasts_of(source.run, names) if _is_alone(sources, options) else {}
        by_seed = _of_every_seed(source)
        seed_rows.append(by_seed.assign(arm=by_seed["arm"].map(names)))
    together = pd.concat(rows, ignore_index=True)
    options["class_names"] = _class_names(sources)
    options["pictures"] = pd.concat(pictures, ignore_index=True) if pictures else None
    if options.get("cases") is None:
        options["cases"] = _cases_of(sources)
    _check_labels(together)
    return evaluate(
        together,
        Path(out),
        title=f"{' and '.join(source.name for source in sources)}: evidence together",
        reference=_reference(sources, reference),
        frozen={"arms": frozen, **({"classes": classes} if classes else {})},
        arms=titles,
        seed_rows=_seed_rows(sources, seed_rows),
        checks=_checks(sources),
        marks=_marks(sources),
        **options,
    )


def _class_names(sources: list[_Source]) -> dict[str, str] | None:
    """Return the classes' names as the first run's models have them; None where no run is given."""
    for run in filter(None, (source.run for source in sources)):
        for arm in run.protocol.names:
            path = run.bundle_folder(arm) / "bundle.yaml"
            if path.is_file():
                return dict(read_yaml(path, name="bundle")["classes"])
    return None


def _is_alone(sources: list[_Source], options: dict[str, Any]) -> bool:
    """Tell whether there is one run, and nobody asks for other contrasts than those that it named."""
    asked = any(options.get(name) is not None for name in ("reference_arm", "primary"))
    return not asked and sum(source.run is not None for source in sources) == 1


def _contrasts_of(run: Run, names: dict[str, str]) -> dict[str, Any]:
    """Return the contrasts that a run's protocol named, by the arms' names here."""
    primary, secondary = run.protocol.primary, run.protocol.secondary
    return {
        "reference_arm": names[primary.against],
        "primary": {"arm": names[primary.arm], "against": names[primary.against]},
        "secondary": [
            {"title": one.title, "arm": names[one.arm], "against": [names[arm] for arm in one.against]}
            for one in secondary
        ],
        "oracles": [name for key, name in names.items() if key in run.protocol.arms and run.protocol.arms[key].oracle],
    }


def _of_every_seed(source: _Source) -> pd.DataFrame:
    """Return the sets kept aside as each seed's model scores them: a run has these rows in a file of their own."""
    path = None if source.run is None else source.run.folder / SEEDS
    if path is not None and path.is_file():
        return read_predictions(path)
    return source.rows[source.rows["split"].isin(KEPT_ASIDE)]


def _seed_rows(sources: list[_Source], rows: list[pd.DataFrame]) -> pd.DataFrame | None:
    """Return them together; None where no run keeps any, since the table then says it all."""
    kept = any(source.run is not None and (source.run.folder / SEEDS).is_file() for source in sources)
    return pd.concat(rows, ignore_index=True) if kept else None


def _check_frozen(paths: Sequence[Path | str], options: dict[str, Any]) -> None:
    """Refuse to choose anew what a run froze before it met its test set."""
    asked = [name for name in ("threshold", "recalibrate") if options.get(name) is not None]
    runs = [Path(path).name for path in paths if Path(path).is_dir()]
    if asked and runs:
        raise InputError(
            f"{' and '.join(f'--{name}' for name in asked)} with the run {runs[0]!r}, whose calibration and thresholds "
            "are frozen",
            expected="tables of scores alone",
            hint="leave it out: each arm of a run keeps what was chosen on its own training patients",
        )


def _read(path: Path) -> _Source:
    if not path.is_dir():
        rows = read_predictions(path)
        return _Source(path.stem, rows[rows["split"] != "tune"], None, "")
    run = open_run(path)
    rows = run.predictions
    used = read_json(path / "cohort_used.json", name="cohort-used")
    return _Source(path.resolve().name, rows[rows["split"] != "tune"], run, used["fingerprint"])


def _cases_of(sources: list[_Source]) -> pd.DataFrame | None:
    """Return what the runs know of their cases, each case as the first run has it; None where no run says."""
    files = [source.run.folder / "tables" / CASES_TABLE for source in sources if source.run is not None]
    found = [read_cases(path) for path in files if path.is_file()]
    return pd.concat(found, ignore_index=True).drop_duplicates(["cohort", "unit_id"]) if found else None


def _named_apart(sources: list[_Source]) -> list[_Source]:
    """Number sources of one name: `run`, `run-2`."""
    seen: Counter[str] = Counter()
    named = []
    for source in sources:
        seen[source.name] += 1
        place = seen[source.name]
        name = source.name if place == 1 else f"{source.name}-{place}"
        named.append(replace(source, name=name))
    return named


def _as_the_runs(sources: list[_Source]) -> list[_Source]:
    """Give tables that name no cohort, target or groups of patients those of the runs beside them."""
    runs = [source.rows for source in sources if source.run is not None]
    known: dict[str, set[str]] = {}
    for run in runs:
        for split, cohorts in run.groupby("split")["cohort"]:
            known.setdefault(str(split), set()).update(cohorts)
    found = []
    for source in sources:
        rows = source.rows
        if source.run is None and set(rows["cohort"]) == {DEFAULTS["cohort"]}:
            _check_one_cohort(source.name, sorted(known.get("external", ())), rows)
            one = {split: next(iter(cohorts)) for split, cohorts in known.items()}
            rows = rows.assign(cohort=rows["split"].map(one).fillna(rows["cohort"]))
        if source.run is None and runs and set(rows["target"]) == {DEFAULTS["target"]}:
            rows = rows.assign(target=runs[0]["target"].iloc[0])
        if source.run is None and runs and (rows["group_id"] == rows["unit_id"]).all():
            rows = _grouped(rows, pd.concat(runs))
        found.append(replace(source, rows=rows))
    return found


def _grouped(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Give each nodule the group that the runs know it by: one group a nodule would narrow every interval."""
    keys = ["cohort", "unit_id"]
    groups = known[[*keys, "group_id"]].drop_duplicates(keys)
    joined = rows[keys].merge(groups, on=keys, how="left")["group_id"].set_axis(rows.index)
    return rows.assign(group_id=joined.fillna(rows["group_id"]))


def _check_one_cohort(name: str, external: list[str], rows: pd.DataFrame) -> None:
    """See that a table which names no cohort has external rows only beside runs that met one: which is not guessed."""
    if len(external) > 1 and (rows["split"] == "external").any():
        raise InputError(
            f"the runs have {len(external)} external cohorts, and the table does not say of which its rows are",
            where=name,
            expected=f"a column cohort with {' or '.join(external)}",
        )


def _check_cohorts(sources: list[_Source]) -> None:
    """See that all answer one question on one cohort, external sets apart."""
    targets = sorted({str(target) for source in sources for target in source.rows["target"].unique()})
    if len(targets) > 1:
        raise InputError(
            f"these runs answer {len(targets)} questions: {', '.join(targets)}",
            expected="runs of one target: arms are compared on the same labels",
            hint="evaluate the runs of each target by themselves",
        )
    own = pd.concat([source.rows.loc[source.rows["split"] != "external", ["split", "cohort"]] for source in sources])
    if own["cohort"].nunique() > 1:
        raise InputError(
            f"these runs are of {own['cohort'].nunique()} cohorts: {', '.join(sorted(set(own['cohort'])))}",
            expected="runs on one cohort: arms are compared on the same nodules",
            hint="evaluate each cohort's runs by themselves, or validate one run's models on the other cohort",
        )


def _check_labels(rows: pd.DataFrame) -> None:
    labels = rows.groupby(["target", "split", "cohort", "unit_id"])["label"].nunique()
    contradicting = labels[labels > 1]
    if len(contradicting):
        named = ", ".join(str(place[-1]) for place in contradicting.index[:5])
        raise InputError(
            f"{len(contradicting)} nodules have one label in one run and another in the other: {named}",
            expected="the same reference in all runs",
            hint="the cohort's labels changed between the runs; repeat the older one",
        )


def _checks(sources: list[_Source]) -> list[Check]:
    """Return how many nodules each two share, whether their folds differ, and whether the cohort changed between."""
    checks = []
    for one, other in combinations(sources, 2):
        both = in_order(set(one.rows["split"]) & set(other.rows["split"]))
        for split in both:
            parts = [source.rows[source.rows["split"] == split] for source in (one, other)]
            units = [set(zip(part["cohort"], part["unit_id"], strict=True)) for part in parts]
            common = units[0] & units[1]
            sentence = (
                f"{one.name} and {other.name}, {split_name(split)}: {plural(len(common), 'nodule')} in both "
                f"({len(units[0])} and {len(units[1])}); arms are compared on these"
            )
            if split == "cv" and _other_folds(*parts):
                sentence += ". They were dealt into other folds: each arm's AUC is the mean over its own run's folds"
            alike = units[0] == units[1]
            checks.append(Check("Common nodules", "passed" if alike else "warning", f"{sentence}."))
        if one.run is not None and other.run is not None and one.fingerprint != other.fingerprint:
            sentence = (
                f"The cohort's tables changed between {one.name} and {other.name}: nodules are paired by their ids, "
                "and no common nodule has another label."
            )
            checks.append(Check("Same cohort", "warning", sentence))
    return checks


def _other_folds(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    columns = ["seed", "unit_id", "fold"]
    joined = one[columns].drop_duplicates().merge(other[columns].drop_duplicates(), on=["seed", "unit_id"])
    return bool((joined["fold_x"] != joined["fold_y"]).any())


def _facts(source: _Source, arm: str, named: bool) -> ArmFacts:
    assert source.run is not None
    protocol = source.run.chosen
    title = f"{protocol.title_of(arm)} ({source.name})" if named else protocol.title_of(arm)
    if arm in protocol.arms:
        recipe = protocol.arms[arm]
        return ArmFacts(title=title, network=recipe.network, weights=recipe.weights or "none (random initialisation)")
    joined = protocol.fusions.get(arm)
    return ArmFacts(title=title, network="logistic" if joined is None else f"{joined.candidates[0]}, fused")


def _reference(sources: list[_Source], otherwise: str) -> str:
    found = {str(source.run.evidence["reference"]) for source in sources if source.run is not None}
    return found.pop() if len(found) == 1 else otherwise


def _marks(sources: list[_Source]) -> list[str]:
    marks: dict[str, None] = {}
    for source in sources:
        if source.run is None:
            continue
        if not source.run.protocol.claims:
            marks["SMOKE"] = None
        elif source.run.protocol.profile != "paper":
            marks[f"{source.run.protocol.profile.upper()} PROFILE"] = None
        if read_json(source.run.folder / "manifest.json", name="manifest").get("cohort", {}).get("simulated"):
            marks["SIMULATED"] = None
    return list(marks)
