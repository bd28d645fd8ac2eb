"""What the node asks of others by DICOMweb: studies (QIDO-RS, WADO-RS), and to store results (STOW-RS).

Bodies are read under a limit, errors are told without the address that was asked, which holds identifiers.
"""

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from isthmus.clinic.dicom_caller import CallFailed
from isthmus.errors import InputError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_AS_STORED: Final = (("application/dicom", "*"),)  # without this a server sends its pixels uncompressed
_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_HEAD = 4096
_CHUNK = 1 << 20
_MOST_ANSWERS: Final = 10_000


class DicomWeb:
    """A DICOMweb service.

    Parameters
    ----------
    url : str
        Its address.
    authorization : Path, optional
        A file with the value of the Authorization header.
    authority : Path, optional
        A file with the certificate that signed the service's.
    seconds : float
        How long to wait for it to say something.
    largest_bytes : int
        The largest answer that is read.
    """

    def __init__(
        self, url: str, authorization: Path | None, authority: Path | None, *, seconds: float, largest_bytes: int
    ) -> None:
        from dicomweb_client.api import DICOMwebClient
        from dicomweb_client.session_utils import create_session

        logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL + 1)
        session = create_session()
        session.trust_env = False  # neither a proxy nor passwords of this account's surroundings
        vars(session)["get"] = _bounded(session.get, largest_bytes)
        if authority is not None:
            session.verify = str(authority)
        if authorization is not None:
            session.headers["Authorization"] = _header_of(authorization)
        self._client = DICOMwebClient(url, session=session, timeout=seconds, permissive_uid=True)
        self._client.set_http_retry_params(retry=False)

    def series_of(self, modalities: Sequence[str], dates: str) -> "list[Dataset]":
        """Return study, series and number of instances of each series of these modalities and dates.

        Raises
        ------
        CallFailed
            When the service does not answer.
        """
        found = []
        with _told_without_addresses("the query failed"):
            for modality in modalities:
                asked = {"StudyDate": dates, "ModalitiesInStudy": modality}
                for study in _datasets(self._client.search_for_studies(search_filters=asked, limit=_MOST_ANSWERS)):
                    series = self._client.search_for_series(
                        str(study.StudyInstanceUID), search_filters={"Modality": modality},
                        fields=["NumberOfSeriesRelatedInstances"],
                    )  # fmt: skip
                    for one in _datasets(series):
                        one.StudyInstanceUID = study.StudyInstanceUID
                        found.append(one)
        return found

    def instances_of(self, study: str, series: str) -> list[str]:
        """Return the SOP Instance UIDs of a series."""
        with _told_without_addresses("the query failed"):
            found = _datasets(self._client.search_for_instances(study, series, limit=_MOST_ANSWERS))
            return [str(one.SOPInstanceUID) for one in found]

    def fetch(self, study: str, series: str, instance: str) -> "Dataset":
        """Return one instance, encoded as it is stored there."""
        with _told_without_addresses("an instance could not be fetched"):
            return self._client.retrieve_instance(study, series, instance, media_types=_AS_STORED)

    def store(self, path: Path) -> None:
        """Send one file.

        Raises
        ------
        CallFailed
            When it was not stored.
        """
        from pydicom import dcmread

        with _told_without_addresses("it did not store the result"):
            answer = self._client.store_instances([dcmread(path)])
        if answer.get("FailedSOPSequence"):
            reason = answer.FailedSOPSequence[0].get("FailureReason")
            raise CallFailed(f"it did not store the result (reason {reason:04X})" if reason else "it did not store it")


def _datasets(answers: Any) -> "list[Dataset]":
    from pydicom.dataset import Dataset

    return [Dataset.from_json(one) for one in answers]


def _header_of(path: Path) -> str:
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("this file cannot be read", where=str(path), expected="the Authorization header") from error
    if not value or "\n" in value:
        raise InputError("this is no header", where=str(path), expected="one line, such as: Basic dXNlcjpwYXNz")
    return value


def _bounded(get: Callable[..., Any], largest_bytes: int) -> Callable[..., Any]:
    """Return ``requests``' own get, which reads no more than so many bytes."""

    def bounded(**asked: Any) -> Any:
        answer = get(**{**asked, "stream": True})
        body = io.BytesIO()
        for part in answer.iter_content(_CHUNK):
            if body.tell() + len(part) > largest_bytes:
                answer.close()
                raise CallFailed("an answer is larger than the limit on an instance")
            body.write(part)
        if _DEFLATED in body.getvalue()[:_HEAD]:
            raise CallFailed("an instance is deflated, and may unpack beyond the limit")
        answer._content, answer._content_consumed = body.getvalue(), True
        return answer

    return bounded


@contextmanager
def _told_without_addresses(what: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CallFailed:
        raise
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        why = f"HTTP status {status}" if status is not None else type(error).__name__
        raise CallFailed(f"{what} ({why})") from None
