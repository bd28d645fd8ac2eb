"""Van Dyke's ratings, and small studies made from a seed."""

import csv
from pathlib import Path

import numpy as np

from isthmus.statistics.multi_reader.study import ReaderStudy

CONDITIONS = ("cine", "se")


def van_dyke(threshold: float | None = None) -> ReaderStudy:
    """Five readers, two conditions, 69 negative and 45 positive patients; calls rating >= threshold where given."""
    study = _read("van_dyke.csv", "12345", CONDITIONS)
    return study if threshold is None else replaced(study, scores=(study.scores >= threshold).astype(float))


def franken() -> ReaderStudy:
    """Four readers, two conditions, 33 negative and 67 positive patients; the scale is turned."""
    study = _read("franken.csv", "1234", ("one", "two"))
    return replaced(study, scores=-study.scores)


def _read(name: str, readers: str, conditions: tuple[str, ...]) -> ReaderStudy:
    with (Path(__file__).parent / "data" / name).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    scores = np.array([[[float(row[f"reader{j}_{c}"]) for row in rows] for c in conditions] for j in readers])
    truth = np.array([row["truth"] == "1" for row in rows])
    cases = tuple(row["case"] for row in rows)
    return ReaderStudy(scores, truth, np.arange(len(rows)), tuple(readers), conditions, cases)


def simulated(seed: int, readers: int = 5, conditions: int = 2, cases: int = 40, per_group: int = 1) -> ReaderStudy:
    """Scores with effects of case, reader and their interaction, on few levels so that ties are common."""
    rng = np.random.default_rng(seed)
    truth = np.arange(cases) % 3 == 0
    signal = rng.normal(size=cases) + 1.2 * truth
    scores = signal + rng.normal(size=(readers, conditions, cases)) + 0.3 * rng.normal(size=(readers, 1, 1)) * truth
    names = tuple(f"r{j}" for j in range(readers)), tuple(f"c{i}" for i in range(conditions))
    return ReaderStudy(
        np.round(scores * 2), truth, np.arange(cases) // per_group, *names, tuple(str(k) for k in range(cases))
    )


def replaced(study: ReaderStudy, **fields: object) -> ReaderStudy:
    """Return the study with other fields."""
    names = ("scores", "truth", "groups", "readers", "conditions", "cases")
    return ReaderStudy(**{name: fields.get(name, getattr(study, name)) for name in names})
