"""An arm judged with each subset of its modalities, and the summary of what each counted."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from isthmus.report.modalities import modalities_in, subset_evidence, summarise_modalities

NAMES = ("bmode", "swe")


def rows(split: str) -> pd.DataFrame:
    """Return 60 nodules; of every third there is no elastography, of every fifth no B-mode."""
    generator = np.random.default_rng(2)
    found = []
    for number in range(60):
        label, has = number % 2, [number % 5 != 0, number % 3 != 0 or number % 5 == 0]
        for subset in (1, 2, 3):
            if not any(has[place] and subset >> place & 1 for place in range(2)):
                continue
            found.append(
                {
                    "unit_id": f"n{number:02d}", "subset": subset, "fold": 0 if split == "test" else number // 2 % 3,
                    "seed": 0, "label": str(label), "group_id": f"p{number:02d}",
                    "p_1": generator.normal(subset * label, 1.0),
                }
            )  # fmt: skip
    return pd.DataFrame(found)


def test_a_subset_is_judged_on_the_units_that_have_all_of_it() -> None:
    table = rows("test")
    found = subset_evidence(table, NAMES, positive="1", split="test")
    assert [entry["shown"] for entry in found] == [["bmode"], ["swe"], ["bmode", "swe"]]
    wide = table.pivot(index="unit_id", columns="subset", values="p_1")
    truth = table.drop_duplicates("unit_id").set_index("unit_id")["label"].loc[wide.index] == "1"
    for entry, bits in zip(found, ([1], [2], [1, 2]), strict=True):
        has = wide[bits].notna().all(axis=1)
        assert entry["n"] == has.sum() == entry["groups"]
        own = roc_auc_score(truth[has], wide.loc[has, sum(bits)])
        assert entry["auc"]["estimate"] == pytest.approx(own)
        if len(bits) == 1:
            full = roc_auc_score(truth[has], wide.loc[has, 3])
            assert entry["difference"]["difference"] == pytest.approx(own - full)
    assert "difference" not in found[-1]


def test_held_out_units_are_judged_fold_by_fold() -> None:
    table = rows("cv")
    (first, *_) = subset_evidence(table, NAMES, positive="1", split="cv")
    own = table[table["subset"] == 1]
    folds = [roc_auc_score(part["label"] == "1", part["p_1"]) for _, part in own.groupby("fold")]
    assert first["auc"]["estimate"] == pytest.approx(np.mean(folds))


def test_a_subset_whose_units_are_of_one_class_or_nobodys_has_no_auc() -> None:
    table = rows("test")
    table = table[(table["label"] == "1") | (table["subset"] != 2)]
    found = subset_evidence(table[table["subset"] != 2], NAMES, positive="1", split="test")
    assert found[1]["n"] == 0
    assert "auc" not in found[1]
    assert "auc" not in subset_evidence(table[table["label"] == "1"], NAMES, positive="1", split="test")[0]


def test_a_modality_is_summed_up_over_the_units_that_have_it() -> None:
    values = {"bmode": np.array([1.0, -3.0, 2.0, 0.0]), "swe": np.array([1.0, 1.0, 0.0, 0.0])}
    has = {"bmode": np.ones(4), "swe": np.array([1.0, 1.0, 0.0, 0.0])}
    facts = pd.DataFrame({"label": ["0", "1", "1", "0"], "group_id": ["a", "b", "c", "d"]})
    found = summarise_modalities(values, has, facts, {"0": "benign", "1": "malignant"})
    assert found["members"]["swe"]["units"] == 2
    assert found["members"]["swe"]["size"]["estimate"] == pytest.approx(1.0)
    assert found["members"]["swe"]["share"]["estimate"] == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert found["members"]["bmode"]["share"]["estimate"] == pytest.approx((1 / 2 + 3 / 4 + 1) / 3)
    assert found["members"]["bmode"]["classes"]["malignant"]["estimate"] == pytest.approx(-0.5)


def test_the_bits_of_a_subset_are_its_modalities() -> None:
    assert modalities_in(6, ["bmode", "smi", "swe"]) == ["smi", "swe"]
