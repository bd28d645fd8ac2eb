"""What a run's heat maps hand on: pictures for the page, numbers for the evidence."""

from pathlib import Path

import pandas as pd

from isthmus.explain.case_drawing import DrawnCase
from isthmus.explain.held_out import HeldOutHeat
from isthmus.files import read_json
from isthmus.protocol.heat_maps import HeatMaps, _add

ROWS = pd.DataFrame({"heat_in_lesion": [0.4, 0.5], "gaussian_in_lesion": [0.5, 0.5], "pointing": [1.0, 0.0]})
SUMMARY = {"pointing": {"estimate": 0.5}, "gaussian_pointing": {"estimate": 1.0}}
EDGES = {"heat_at_edge": {"sentence": "Made."}}
COUNTED = {"seen": 5, "counted": {"sentence": "Frame 3."}}


def found(**changes: object) -> HeatMaps:
    result = HeatMaps()
    given = {"summary": SUMMARY, "cases": [], "gallery": Path("gallery.png"), **changes}
    _add(result, "ceus", "CEUS", HeldOutHeat(ROWS, **given))  # type: ignore[arg-type]
    return result


def test_one_strip_a_heading_and_the_signed_sheet_stand_among_the_pictures() -> None:
    strips = [DrawnCase(Path(f"{number}.png"), heading, f"Case {number}.", "Words.")
              for number, heading in enumerate(["right", "right", "wrong"])]  # fmt: skip
    pictures = found(strips=strips, signed=Path("signed.png"), frames=COUNTED).gallery
    assert [picture.path.name for picture in pictures] == ["gallery.png", "signed.png", "0.png", "2.png"]
    assert "of each clip the frame of the largest lesion" in pictures[0].caption
    assert pictures[2].caption == "CEUS. Case 0."
    assert {picture.arm for picture in pictures} == {"ceus"}


def test_edges_and_frames_join_the_evidence_on_disk(tmp_path: Path) -> None:
    evidence: dict[str, object] = {"format": "isthmus-evidence/1.0"}
    found(edges=EDGES, frames=COUNTED).write(tmp_path, evidence)
    assert evidence["localisation"] == {"ceus": {"edges": EDGES, "frames": COUNTED}}
    assert read_json(tmp_path / "evidence.json", name="evidence") == evidence


def test_without_them_the_evidence_is_left_alone(tmp_path: Path) -> None:
    evidence: dict[str, object] = {"format": "isthmus-evidence/1.0"}
    found().write(tmp_path, evidence)
    assert "localisation" not in evidence
    assert not (tmp_path / "evidence.json").exists()
