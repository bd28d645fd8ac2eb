"""Which instances are looked at, and as what."""

from pathlib import Path
from typing import Any

import pytest

from isthmus.clinic.device_rules import DeviceRule, DeviceRules, read_device_rules
from isthmus.errors import InputError
from tests.clinic.assessed import study_of
from tests.markdown_blocks import ROOT, blocks_of
from tests.ultrasound_dicom import ultrasound_dicom

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def told(path: Path, *rules: dict[str, Any]) -> list[str]:
    found = DeviceRules(rules=[DeviceRule.model_validate(rule) for rule in rules])
    return [one.modality for one in study_of(path, rules=found).instances]


def test_without_rules_the_headers_tell(tmp_path: Path) -> None:
    still, clip = ultrasound_dicom(tmp_path / "a.dcm"), ultrasound_dicom(tmp_path / "b.dcm", frames=3)
    flow = ultrasound_dicom(tmp_path / "c.dcm", colour=True)
    assert [told(still), told(clip), told(flow)] == [["bmode"], ["cine"], ["doppler"]]


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"manufacturer": "test"}, True),
        ({"manufacturer": "other"}, False),
        ({"model": "^scanner 1$", "series_description": "contrast"}, True),
        ({"series_description": "^contrast$"}, False),
        ({"image_type": ["SMALL PARTS", "0001"]}, True),
        ({"image_type": ["0004"]}, False),
        ({"region_data_type": [2, 1]}, True),
        ({"region_data_type": [2]}, False),
        ({"frames_from": 3, "frames_to": 3}, True),
        ({"frames_from": 4}, False),
        ({"frames_to": 2}, False),
        ({"secondary_capture": True}, False),
    ],
)
def test_a_rule_fits_an_instance_that_has_all_it_names(tmp_path: Path, rule: dict[str, Any], fits: bool) -> None:
    clip = ultrasound_dicom(tmp_path / "a.dcm", frames=3, SeriesDescription="CONTRAST loop")
    assert told(clip, {**rule, "modality": "ceus"}) == (["ceus"] if fits else ["cine"])


def test_the_first_rule_that_fits_decides_and_may_leave_out(tmp_path: Path) -> None:
    still = ultrasound_dicom(tmp_path / "a.dcm")
    assert told(still, {"modality": "leave_out"}, {"modality": "swe"}) == []
    assert told(still, {"modality": "swe"}, {"modality": "leave_out"}) == ["swe"]


def test_a_screen_capture_is_looked_at_only_where_a_rule_says_so(tmp_path: Path) -> None:
    capture = ultrasound_dicom(tmp_path / "a.dcm", SOPClassUID=SECONDARY_CAPTURE)
    assert told(capture) == []
    assert "1 of 1 instances left out: no ultrasound image of a scanner" in study_of(capture).sentences[0]
    assert told(capture, {"secondary_capture": True, "modality": "bmode"}) == ["bmode"]


def test_a_scan_area_of_a_rule_is_the_instances(tmp_path: Path) -> None:
    rules = DeviceRules(rules=[DeviceRule(modality="bmode", scan_area=(1, 2, 30, 40))])
    assert study_of(ultrasound_dicom(tmp_path / "a.dcm"), rules=rules).instances[0].scan_area == (1, 2, 30, 40)


@pytest.mark.parametrize(
    "text",
    [
        "rules: [{modality: brain}]",
        "rules: [{modality: bmode, manufacturer: '('}]",
        "rules: [{modality: bmode, colour: red}]",
        "rules: [{modality: bmode, frames_from: 3, frames_to: 2}]",
        "rules: [{modality: bmode, scan_area: [5, 5, 2, 9]}]",
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"format: isthmus-device-rules/1.0\n{text}\n")
    with pytest.raises(InputError, match=r"rules\.0"):
        read_device_rules(path)


def test_the_rules_of_the_page_are_rules(tmp_path: Path) -> None:
    (shown,) = [block for block in blocks_of(ROOT / "docs" / "dicom_results.md") if block.language == "yaml"]
    path = tmp_path / "rules.yaml"
    path.write_text(shown.text)
    assert [rule.modality for rule in read_device_rules(path).rules] == ["ceus", "swe", "leave_out", "bmode"]
