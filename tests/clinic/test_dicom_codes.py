"""The codes of reports: the standard's against pydicom's dictionary, ours against their page."""

from pydicom.sr._concepts_dict import concepts
from pydicom.sr.codedict import codes

from isthmus.clinic.dicom_codes import PRIVATE, STANDARD, class_code, finding_code
from isthmus.tables.vocabulary import DESCRIPTORS
from tests.markdown_blocks import ROOT


def test_standard_codes_are_those_of_the_standards_dictionary() -> None:
    known = {
        (value, scheme): meaning
        for scheme, names in concepts.items()
        for found in names.values()
        for value, (meaning, _) in found.items()
    }
    for name, (value, scheme, meaning) in STANDARD.items():
        if scheme != "UCUM":
            assert known[value, scheme].casefold().startswith(meaning.casefold()), name
    assert codes.UCUM.Millimeter.value == "mm"


def test_private_codes_fit_their_elements_and_stand_on_their_page() -> None:
    page = (ROOT / "docs" / "dicom_results.md").read_text(encoding="utf-8")
    for value, meaning in PRIVATE.items():
        assert len(value) <= 16
        assert len(meaning) <= 64
        assert f"| `{value}` | {meaning} |" in page


def test_no_two_findings_or_classes_share_a_code() -> None:
    made = [finding_code(name, code) for name, own in DESCRIPTORS.items() for code in own]
    made += [class_code(f"follicular_neoplasm_{kind}", kind) for kind in ("a", "b")]
    assert len({one.value for one in made}) == len(made)
    assert max(len(one.value) for one in made) <= 16
