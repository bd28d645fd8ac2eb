"""Who is in a virtual cohort: sites, patients, nodules, their findings, labels and parts. No picture is made here.

Each nodule's findings are drawn for its site's mixture of classes, before any label; the label is then drawn from the
preset's logistic model of the findings, age and sex. So no picture can know more of the label than the findings do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import CohortError
from isthmus.phantom.descriptors import describe
from isthmus.phantom.findings import draw_age_and_sex, draw_findings, named
from isthmus.phantom.labels import change_labels, draw_classes, true_probabilities
from isthmus.phantom.preset import Preset
from isthmus.phantom.streams import stream
from isthmus.phantom.views import draw_views

MOST_NODULES = 5
"""Of one patient."""
NOISY_PARTS = ("train", "tune")

Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Population:
    """A virtual cohort before any picture is made.

    Parameters
    ----------
    preset : Preset
        What it was drawn from.
    seed : int
        And with.
    patients : DataFrame
        One row a patient, as ``patients.csv``: ``patient_id``, ``site``, ``sex``, ``age_years``, and where the label
        is the patient's, the label's column.
    nodules : DataFrame
        One row a nodule, as ``truth/nodules.csv``: ids, ``site``, ``device``, ``age_years``, ``sex``, all latents,
        ``p_true_<class>``, ``true_<target>``, the label's column (noisy), ``label_flipped``, ``split``,
        ``has_<modality>``, ``reference``, ``sampling``.
    descriptors : DataFrame
        One row a nodule, what a reader wrote down: ``nodule_id``, ``size_mm`` as measured, ``composition``,
        ``echogenicity``, ``shape``, ``margin``, ``echogenic_foci``.
    views : DataFrame
        One row a picture or clip: ``view_id``, ``nodule_id``, ``patient_id``, ``exam_id``, ``acquisition_id``,
        ``modality``, ``plane``, ``device``, ``site``, ``kind`` of file, ``seconds``, ``frame_rate_hz``, ``number``.
    """

    preset: Preset
    seed: int
    patients: pd.DataFrame
    nodules: pd.DataFrame
    descriptors: pd.DataFrame
    views: pd.DataFrame

    def nodule_table(self) -> pd.DataFrame:
        """Return what contract 1's ``nodules.csv`` holds: ids, the nodule's noisy label, split, descriptors."""
        target = self.preset.target
        label = [target.column] if target.unit == "nodule" else []
        kept = self.nodules[["nodule_id", "patient_id", "group_id", *label, "reference", "sampling", "split"]]
        return kept.merge(self.descriptors, on="nodule_id", validate="one_to_one")


def draw_nodules(preset: Preset, nodules: int, seed: int) -> pd.DataFrame:
    """Draw nodules with everything that their labels depend on; a million in seconds.

    Parameters
    ----------
    preset : Preset
        What to draw from.
    nodules : int
        Exactly so many; the last patient may have fewer than drawn.
    seed : int
        Same seed, same nodules.

    Returns
    -------
    DataFrame
        ``patient`` (number), ``site``, ``device``, ``age_years``, ``sex``, all latents, ``p_true_<class>``.

    Raises
    ------
    CohortError
        When ``nodules`` is below 1.
    """
    if nodules < 1:
        raise CohortError(f"{nodules} nodules", expected="at least 1")
    patient = _owners(preset, nodules, seed)
    patients = int(patient[-1]) + 1
    site = _quota([place.share for place in preset.sites.values()], patients, stream(seed, "site"))
    device = _devices(preset, site, seed)
    shares = np.array([[place.classes[code] for code in preset.classes] for place in preset.sites.values()])
    kind = draw_classes(shares[site[patient]], stream(seed, "kind"))
    people = pd.DataFrame(draw_age_and_sex(patients, preset.patients, seed))
    drawn = pd.concat(
        [
            pd.DataFrame({"patient": patient}),
            pd.DataFrame({"site": named(site[patient], list(preset.sites))}),
            pd.DataFrame({"device": named(device[patient], _device_names(preset))}),
            people.iloc[patient].reset_index(drop=True),
            draw_findings(kind, list(preset.target.groups.values()), seed, calcified=preset.calcified),
        ],
        axis=1,
    )
    chances = true_probabilities(preset, drawn)
    return drawn.assign(**{f"p_true_{code}": chances[:, place] for place, code in enumerate(preset.classes)})


def draw_population(preset: Preset, nodules: int, seed: int) -> Population:
    """Draw a whole cohort: patients, nodules, labels, parts, descriptors and the views to be made.

    Parameters
    ----------
    preset, nodules, seed
        As for :func:`draw_nodules`.

    Returns
    -------
    Population
        With exactly this many nodules.
    """
    drawn = draw_nodules(preset, nodules, seed)
    classes = np.array(preset.classes, dtype=object)
    truth = draw_classes(drawn[[f"p_true_{code}" for code in preset.classes]].to_numpy(), stream(seed, "label"))
    split = _parts(preset, drawn, truth, seed)
    label = truth.copy()
    noisy = np.isin(split, NOISY_PARTS)
    flipped = np.zeros(nodules, bool)
    found = label[noisy]
    flipped[noisy] = change_labels(found, classes.size, preset.label_noise, stream(seed, "label noise"))
    label[noisy] = found
    patient_id = "P" + pd.Series(drawn["patient"] + 1).astype(str).str.zfill(5)
    table = pd.DataFrame(
        {
            "nodule_id": [f"N{number:05d}" for number in range(1, nodules + 1)],
            "patient_id": patient_id,
            "group_id": patient_id,
            "split": split,
            f"true_{preset.target.name}": classes[truth],
            preset.target.column: classes[label],
            "label_flipped": flipped,
            "reference": _references(preset, truth, seed),
            "sampling": preset.sampling,
            **draw_missing(preset, nodules, seed),
        }
    )
    names = drawn.select_dtypes("category").columns
    drawn = drawn.drop(columns="patient").astype(dict.fromkeys(names, str))
    table = pd.concat([table, drawn], axis=1)
    people = _patients(preset, table)
    return Population(preset, seed, people, table, describe(table, seed), draw_views(preset, table, seed))


def _owners(preset: Preset, nodules: int, seed: int) -> Whole:
    """The number of the patient that each nodule belongs to, ascending from 0."""
    others = stream(seed, "nodules a patient").poisson(preset.nodules_per_patient - 1, nodules)
    counts = np.minimum(1 + others, MOST_NODULES)
    return np.repeat(np.arange(nodules), counts)[:nodules]


def _quota(shares: Sequence[float], size: int, random: np.random.Generator) -> Whole:
    """Deal ``size`` places in shuffled order, each share to the nearest whole number (largest remainders)."""
    wanted = np.asarray(shares) / np.sum(shares) * size
    counts = np.floor(wanted).astype(np.int64)
    counts[np.argsort(counts - wanted, kind="stable")[: size - counts.sum()]] += 1
    return random.permutation(np.repeat(np.arange(len(shares)), counts))


def _device_names(preset: Preset) -> list[str]:
    return sorted({device for site in preset.sites.values() for device in site.devices})


def _devices(preset: Preset, site: Whole, seed: int) -> Whole:
    names = _device_names(preset)
    shares = np.array([[place.devices.get(name, 0.0) for name in names] for place in preset.sites.values()])
    return draw_classes(shares[site], stream(seed, "device"))


def _parts(preset: Preset, drawn: pd.DataFrame, truth: Whole, seed: int) -> NDArray[np.object_]:
    """Deal whole patients: external sites' apart, the others by class (a patient's highest) in the preset's numbers."""
    worst = pd.Series(truth).groupby(drawn["patient"].to_numpy()).max().to_numpy()
    sites = drawn.drop_duplicates("patient")["site"].astype(str).to_numpy()
    external = np.isin(sites, [name for name, site in preset.sites.items() if site.external])
    part = np.full(worst.size, "external", dtype=object)
    names = np.array(list(preset.parts), dtype=object)
    for place, code in enumerate(preset.classes):
        inside = np.flatnonzero(~external & (worst == place))
        shares = [preset.parts[name][code] for name in preset.parts]
        part[inside] = names[_quota(shares, inside.size, stream(seed, "split", place))]
    dealt: NDArray[np.object_] = part[drawn["patient"].to_numpy()]
    return dealt


def _references(preset: Preset, truth: Whole, seed: int) -> NDArray[np.object_]:
    kinds = sorted({kind for shares in preset.references.values() for kind in shares})
    shares = np.array([[preset.references[code].get(kind, 0.0) for kind in kinds] for code in preset.classes])
    places = draw_classes(shares[truth], stream(seed, "reference"))
    drawn: NDArray[np.object_] = np.array(kinds, dtype=object)[places]
    return drawn


def draw_missing(preset: Preset, nodules: int, seed: int) -> Mapping[str, NDArray[np.bool_]]:
    """Draw which modalities nodules have, whatever their findings and labels: ``has_<modality>`` for each."""
    return {
        f"has_{modality}": stream(seed, f"has {modality}").random(nodules) >= missing
        for modality, missing in preset.missing_rates.items()
    }


def _patients(preset: Preset, nodules: pd.DataFrame) -> pd.DataFrame:
    label = [preset.target.column] if preset.target.unit == "patient" else []
    columns = ["patient_id", "site", "sex", "age_years", *label]
    return nodules[columns].drop_duplicates("patient_id").reset_index(drop=True)
