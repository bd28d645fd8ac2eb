"""The elements that every object of a study shares: its patient and the study itself (PS3.3 C.7.1 and C.7.2).

They are copied into results as they stand in the source, in the source's character set. This is the one place where
identifiers go.
"""

import warnings
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PATIENT: Final = (
    "PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID",
    "OtherPatientIDsSequence", "OtherPatientNames", "PatientBirthDate", "PatientBirthTime", "PatientSex",
    "EthnicGroup", "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "QualityControlSubject", "PatientSpeciesDescription", "PatientSpeciesCodeSequence", "PatientBreedDescription",
    "PatientBreedCodeSequence", "BreedRegistrationSequence", "ResponsiblePerson", "ResponsiblePersonRole",
    "ResponsibleOrganization",
)  # fmt: skip
STUDY: Final = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName", "ReferringPhysicianIdentificationSequence", "ConsultingPhysicianName",
    "StudyDescription", "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy", "ProcedureCodeSequence",
    "ReasonForPerformedProcedureCodeSequence",
)  # fmt: skip
PATIENT_STUDY: Final = (
    "PatientAge", "PatientSize", "PatientWeight", "PatientSexNeutered", "AdmissionID", "IssuerOfAdmissionIDSequence",
)  # fmt: skip
CLINICAL_TRIAL: Final = (
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName", "ClinicalTrialSiteID",
    "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID", "ClinicalTrialTimePointID",
)  # fmt: skip
_UNICODE: Final = "ISO_IR 192"
_EMPTY_WHERE_ABSENT: Final = (
    # Type 2 (PS3.5 7.4.3): present in every object, and empty where nothing is known.
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
OF_THE_STUDY: Final = (
    *PATIENT, *STUDY, *PATIENT_STUDY, *CLINICAL_TRIAL, "SpecificCharacterSet", "TimezoneOffsetFromUTC",
)  # fmt: skip


def as_text(header: Any, keyword: str) -> str:
    """Return an element's value as text, several with backslashes between them; '' where it is absent."""
    value = header.get(keyword)
    if value is None:
        return ""
    parts = value if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]
    return "\\".join(str(part) for part in parts).replace("\0", "").strip()


def whole(header: Any, keyword: str) -> int | None:
    """Return an element's value as a whole number; None where it is none."""
    try:
        return int(header.get(keyword))
    except (TypeError, ValueError):
        return None


def frames_of(header: Any) -> int:
    """Return how many frames a header announces; 1 where it does not say."""
    return max(1, whole(header, "NumberOfFrames") or 1)


def put_into_study(result: "Dataset", source: "Dataset") -> None:
    """Give an object the patient and the study of its source, and the character set in which they are written.

    Where a text of the result cannot be written in that set, the whole object is written in UTF-8: the same names, in
    other bytes.

    Parameters
    ----------
    result : Dataset
        Changed in place; what it had of these elements before is gone.
    source : Dataset
        The header of an instance of the study.
    """
    own = _texts(result)
    for keyword in OF_THE_STUDY:
        if keyword in result:
            delattr(result, keyword)
        if keyword in source:
            result[keyword] = source[keyword]
        elif keyword in _EMPTY_WHERE_ABSENT:
            setattr(result, keyword, "")
    charset = [_repaired(one) for one in as_text(source, "SpecificCharacterSet").split("\\")]
    if not all(_fits(text, charset) for text in own):
        charset = [_UNICODE]
    if any(charset):
        result.SpecificCharacterSet = charset if len(charset) > 1 else charset[0]


def _repaired(charset: str) -> str:
    """Return the name of a character set as the standard spells it; scanners write ISO-IR 100, too."""
    return f"ISO_IR{charset[6:]}" if charset[:6] in ("ISO-IR", "ISO IR") else charset


def _texts(result: "Dataset") -> list[str]:
    """Return the texts of an object that are not plain ASCII, which every character set holds."""
    found = list[str]()
    for element in result.iterall():
        values = element.value if element.VM > 1 else [element.value]
        found += [str(value) for value in values if isinstance(value, str) and not value.isascii()]
    return found


def _fits(text: str, charset: list[str]) -> bool:
    from pydicom.charset import convert_encodings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a set that nobody knows; the text then does not fit
        encodings = convert_encodings(charset)
    for encoding in encodings:
        try:
            text.encode(encoding)
        except (UnicodeError, LookupError):
            continue
        return True
    return False
