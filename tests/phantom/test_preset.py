import csv
from collections import defaultdict
from typing import Any

import pytest

from isthmus.cohort.description import Target
from isthmus.errors import CohortError
from isthmus.phantom import frequencies
from isthmus.phantom.devices import devices
from isthmus.phantom.observers import observer_names
from isthmus.phantom.preset import Preset, load_preset, presets

NAMES = ("stills", "cine-calcified", "multimodal", "ceus-olnm", "three-class")


def table() -> list[dict[str, str]]:
    with frequencies.TABLE.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_the_five_papers_have_a_preset_each() -> None:
    assert set(presets()) == set(NAMES)
    papers = [load_preset(name).protocol for name in NAMES]
    assert papers == ["wang2025", "qian2025", "ding2026", "olnm2025", "zhao2025"]


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_names_known_scanners_and_observers(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    assert {device for site in preset.sites.values() for device in site.devices} <= set(devices())
    if preset.readers is not None:
        assert preset.readers.observer in observer_names(preset)
    assert type(preset.target.definition) is Target


def test_an_unknown_preset_is_answered_with_the_nearest() -> None:
    with pytest.raises(CohortError, match="did you mean 'stills'"):
        load_preset("stils")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "sites": (
        {"sites": {"a": {"share": 0.5, "classes": {"0": 0.5, "1": 0.5}, "devices": {"linear-9": 1}}}},
        "sum to 1",
    ),
    "classes": ({"parts": {"train": {"0": 1}}}, "must name the classes"),
    "clip": ({"views": [{"modality": "cine", "plane": "transverse"}]}, "seconds and frame_rate_hz"),
    "missing": ({"missing": {"bmode": 0.1}}, "not all of them"),
    "reference": ({"references": {"0": {"surgery": 0.4}, "1": {"surgery": 1}}}, "must share 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_preset_says_what_is_wrong(case: str) -> None:
    change, words = WRONG[case]
    with pytest.raises(ValueError, match=words):
        Preset.model_validate(load_preset("stills").model_dump() | change)


@pytest.mark.parametrize("field", ["coefficients", "groups"])
def test_a_label_model_has_known_features_and_every_class(field: str) -> None:
    content = load_preset("stills").model_dump()
    content["target"][field] = {"1": {"colour": 1.0}} if field == "coefficients" else {"1": ["benign"]}
    with pytest.raises(ValueError, match=r"no features colour|groups must name"):
        Preset.model_validate(content)


def test_a_label_of_the_patient_needs_one_nodule_a_patient() -> None:
    with pytest.raises(ValueError, match="nodules_per_patient"):
        Preset.model_validate(load_preset("ceus-olnm").model_dump() | {"nodules_per_patient": 1.5})


def test_a_patient_of_three_classes_is_judged_by_the_mean_of_the_pictures() -> None:
    assert load_preset("three-class").target.definition.aggregation == {"nodule": "mean", "patient": "mean"}


def test_every_number_says_where_it_is_from() -> None:
    for row in table():
        assert row["basis"] in {"P", "D", "U"}, row
        assert row["basis"] == "U" or row["source"] or row["note"], row
        assert row["basis"] != "P" or row["source"], row


def test_shares_of_codes_sum_to_one_and_stand_in_the_same_order_for_every_group() -> None:
    coded = defaultdict(dict)
    for row in table():
        if row["latent"] in {"composition", "echogenicity", "margin", "vascularity", "enhancement", "lobe"}:
            coded[row["latent"]].setdefault(row["given"], {})[row["level"]] = float(row["value"])
    for groups in coded.values():
        orders = {tuple(levels) for levels in groups.values()}
        assert len(orders) == 1
        assert all(sum(levels.values()) == pytest.approx(1, abs=1e-9) for levels in groups.values())
