"""What a run freezes of how sure its models are: from the very predictions that its thresholds were chosen on."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from isthmus.errors import FrozenError
from isthmus.protocol.answers import answers_of
from isthmus.protocol.frozen import calls, freeze
from isthmus.protocol.gather import nodule_predictions
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.class_calibration import ClassCalibration
from isthmus.statistics.conformal import conformal_limits


def cases_of(classes: list[str]) -> Any:
    target = SimpleNamespace(aggregation={"nodule": "mean", "patient": "maximum"})
    return SimpleNamespace(classes=classes, target=target, unit="nodule")


def view_rows(classes: list[str], patients: int = 60) -> pd.DataFrame:
    """Two arms, two seeds, tuning and held-out rows: patients with two nodules, nodules with two views."""
    rng, rows = np.random.default_rng(len(classes)), []
    label = rng.integers(0, len(classes), 2 * patients)
    for arm in ("a", "b"):
        for seed in (3, 4):
            for split in ("tune", "cv"):
                for view in range(4 * patients):
                    nodule = view // 2
                    p = softmax(rng.normal(size=len(classes)) + 1.5 * (np.arange(len(classes)) == label[nodule]))
                    rows.append(
                        {
                            "target": "t", "cohort": "c", "arm": arm, "candidate": "n", "split": split, "seed": seed,
                            "fold": nodule // 2 % 5, "view_id": str(view), "nodule_id": f"N{nodule:03d}",
                            "patient_id": f"P{nodule // 2}", "group_id": f"P{nodule // 2}", "site": "s",
                            "label": classes[label[nodule]],
                            **{f"p_{name}": value for name, value in zip(classes, p, strict=True)},
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("classes", [["0", "1"], ["BTN", "NMTN", "MMTN"]])
def test_limits_and_band_are_of_the_first_seeds_held_out_units_calibrated_as_frozen(classes: list[str]) -> None:
    rows, cases = view_rows(classes), cases_of(classes)
    units = nodule_predictions(rows, cases)
    frozen = freeze(units, classes, "youden", {})
    found = answers_of(rows, cases, frozen, ["a"])
    assert list(found) == ["a"]
    own = units[(units["arm"] == "a") & (units["split"] == "cv") & (units["seed"] == 3)]
    p, said = own[[f"p_{name}" for name in classes]].to_numpy(), frozen["arms"]["a"]
    codes = own["label"].map(classes.index).to_numpy()
    if len(classes) == 2:
        positive = LogisticCalibration.from_dict(said["calibration"]).apply(p[:, 1])
        p = np.stack([1 - positive, positive], axis=1)
    else:
        p = ClassCalibration.from_dict(said["calibration"]).apply(p)
    limits = conformal_limits(codes, p, 0.1, own["group_id"])
    assert list(found["a"].limits.values()) == pytest.approx(limits.tolist())
    assert sum(found["a"].groups.values()) > 60  # patients with nodules of two classes count in both
    assert found["a"].chosen_on == "out-of-fold predictions of seed 3"
    band = found["a"].refer
    if len(classes) > 2:
        assert band is None
        return
    assert band is not None
    assert band.low <= said["threshold"] <= band.high
    between = (p[:, 1] > band.low + 1e-9) & (p[:, 1] < band.high - 1e-9)
    assert between.mean() == pytest.approx(0.2)
    # The threshold's calls beside it are those of the run.
    called = calls(own.assign(split="test"), classes, frozen)
    assert ((p[:, 1] >= said["threshold"]) == (called == "1")).all()


def test_other_predictions_than_those_that_were_frozen_are_refused() -> None:
    classes = ["0", "1"]
    rows, cases = view_rows(classes), cases_of(classes)
    frozen = freeze(nodule_predictions(rows, cases), classes, "youden", {})
    place = rows.index[(rows["arm"] == "b") & (rows["split"] == "cv") & (rows["seed"] == 3)][0]
    rows.loc[place, ["p_0", "p_1"]] = [0.999, 0.001]
    assert list(answers_of(rows, cases, frozen, ["a"])) == ["a"]
    with pytest.raises(FrozenError, match="of b are not those"):
        answers_of(rows, cases, frozen, ["a", "b"])
