r"""Turn the published breast reader study's one table into the three that `isthmus evaluate` takes.

Six readers called 300 breast stills of 220 patients, and fifteen networks scored them
(github.com/JoeTao-097/Multi-REZ-Evalution-for-Breast-Ultrasound-Images, Apache 2.0). `manifest.csv` has one row a
still: `patient_id, malignancy, birads, image, reader1 … reader6`, a score for each network, and `duplicate_pixels`, the
pictures that are identical pixel for pixel.

    python docs/examples/breast_reader_study.py manifest.csv tables
    isthmus evaluate tables/predictions.csv --reads tables/reads.csv --cases tables/cases.csv \
        --label-from mixed --sampling selected --out evidence

It is a pattern for any study of this shape: one row a case becomes one row a case and arm, and one row a case and
reader.
"""

import argparse
from pathlib import Path

import pandas as pd

NETWORKS = "allmodels_"  # the columns model_… repeat five of them with fewer digits


def groups_of(manifest: pd.DataFrame) -> "pd.Series[str]":
    """Return the group of each still: a patient, or all patients who are tied by an identical picture."""
    group = {patient: patient for patient in manifest["patient_id"]}

    def first(patient: str) -> str:
        while group[patient] != patient:
            patient = group[patient]
        return patient

    patient_of = dict(zip(manifest["image"], manifest["patient_id"], strict=True))
    for twins in manifest["duplicate_pixels"].dropna():
        tied = sorted({first(patient_of[picture]) for picture in twins.split("|")})
        group |= dict.fromkeys(tied, tied[0])
    return manifest["patient_id"].map(first)


def main() -> None:
    """Write `predictions.csv`, `reads.csv` and `cases.csv`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("destination", type=Path)
    asked = parser.parse_args()
    manifest = pd.read_csv(asked.manifest, dtype=str)
    named = pd.DataFrame({"unit_id": "still" + manifest["case"], "label": manifest["malignancy"]})
    known = named.assign(patient_id=manifest["patient_id"], group_id=groups_of(manifest))
    networks = [name for name in manifest if name.startswith(NETWORKS)]
    readers = [name for name in manifest if name.startswith("reader")]
    arms = [
        known.assign(arm=name.removeprefix(NETWORKS), split="test", unit="view", target="malignant", p_1=score)
        for name, score in manifest[networks].astype(float).items()
    ]
    predictions = pd.concat(arms, ignore_index=True)
    # The networks' authors chose no threshold that is known here: a probability of 0.5 or more is called malignant.
    predictions.insert(len(predictions.columns) - 1, "p_0", 1 - predictions["p_1"])
    reads = pd.concat(
        named[["unit_id"]].assign(reader_id=name, condition="unaided", target="malignant", call=manifest[name])
        for name in readers
    )
    cases = known[["unit_id", "patient_id"]].assign(birads=manifest["birads"])
    cases["identical_pictures"] = manifest["duplicate_pixels"].str.count(r"\|").fillna(0).astype(int) + 1
    asked.destination.mkdir(parents=True, exist_ok=True)
    for name, table in (("predictions", predictions), ("reads", reads), ("cases", cases)):
        table.to_csv(asked.destination / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
