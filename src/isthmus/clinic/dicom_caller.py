"""What the node asks of others by DICOM: to store results, to hear of commitment, to find studies and to send them."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from isthmus.clinic.node_settings import DicomAddress, NodeSettings
from isthmus.clinic.tls import tls_context

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.association import Association

_STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
_STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
_MOST_ANSWERS: Final = 10_000
_MOVE_S: Final = 3600.0
"""An archive may say nothing while it sends; then the association stays open so long."""


class CallFailed(Exception):  # noqa: N818  (what it is)
    """Another application did not do what was asked; says why, without identifiers."""


def quiet_pynetdicom() -> None:
    """Keep pynetdicom from logging: its lines hold titles, identifiers and whole queries."""
    from pynetdicom import _config

    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.STORE_SEND_CHUNKED_DATASET = True  # results go out as they lie on the disk
    for name in ("pynetdicom", "pydicom", "dicomweb_client"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class DicomCaller:
    """Calls other applications under the node's title.

    Parameters
    ----------
    settings : NodeSettings
        For the title, TLS and how long to wait.
    """

    def __init__(self, settings: NodeSettings) -> None:
        quiet_pynetdicom()
        self._settings = settings

    def _entity(self) -> "ApplicationEntity":
        from pynetdicom import AE

        entity = AE(ae_title=self._settings.ae_title)
        seconds = self._settings.limits.stalled_s
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = seconds
        return entity

    @contextmanager
    def _association(
        self, address: DicomAddress, entity: "ApplicationEntity", negotiation: Sequence[Any] = ()
    ) -> "Iterator[Association]":
        tls = self._settings.tls
        wrapped = (tls_context(tls, "client"), address.address) if address.tls and tls else None
        try:
            association = entity.associate(
                address.address, address.port, ae_title=address.ae_title, ext_neg=list(negotiation), tls_args=wrapped
            )
        except OSError as error:
            raise CallFailed(f"its address cannot be reached ({type(error).__name__})") from None
        if not association.is_established:
            raise CallFailed("the association was refused" if association.is_rejected else "no association")
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def store(self, address: DicomAddress, path: Path) -> None:
        """Send one file by C-STORE, as it is encoded.

        Raises
        ------
        CallFailed
            When it was not stored.
        """
        from pydicom import dcmread

        meta = dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).file_meta
        entity = self._entity()
        entity.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
        with self._association(address, entity) as association:
            if not association.accepted_contexts:
                raise CallFailed("it does not take this kind of object")
            try:
                status = association.send_c_store(path)
            except (ValueError, RuntimeError, AttributeError) as error:
                raise CallFailed(f"the result could not be sent ({type(error).__name__})") from None
        _check(status, "it did not store the result")

    def report_event(self, address: DicomAddress, event: "Dataset", kind: int, model: str, instance: str) -> None:
        """Send an N-EVENT-REPORT as the provider of its service.

        Raises
        ------
        CallFailed
            When it was not taken.
        """
        from pynetdicom import build_role

        entity = self._entity()
        entity.add_requested_context(model)
        # This side opens the association and is the provider of the service: the role is asked for (PS3.7 D.3.3.4).
        with self._association(address, entity, [build_role(model, scu_role=False, scp_role=True)]) as association:
            try:
                status, _ = association.send_n_event_report(event, kind, model, instance)
            except (ValueError, RuntimeError) as error:
                raise CallFailed(f"it does not take reports ({type(error).__name__})") from None
        _check(status, "it did not take the report")

    def find(self, address: DicomAddress, query: "Dataset") -> "list[Dataset]":
        """Return what a C-FIND in the study root finds.

        Raises
        ------
        CallFailed
            When it failed, or found more than can be meant.
        """
        entity = self._entity()
        entity.add_requested_context(_STUDY_ROOT_FIND)
        found = []
        with self._association(address, entity) as association:
            try:
                for status, identifier in association.send_c_find(query, _STUDY_ROOT_FIND):
                    if status.get("Status") in (0xFF00, 0xFF01) and identifier is not None:
                        found.append(identifier)
                        if len(found) > _MOST_ANSWERS:
                            raise CallFailed(f"more than {_MOST_ANSWERS:,} answers to a query")
                    else:
                        _check(status, "the query failed")
            except (ValueError, RuntimeError) as error:
                raise CallFailed(f"it takes no queries ({type(error).__name__})") from None
        return found

    def move(self, address: DicomAddress, query: "Dataset") -> None:
        """Have instances sent to this node by C-MOVE, and wait until all are.

        Raises
        ------
        CallFailed
            When not all were.
        """
        entity = self._entity()
        entity.dimse_timeout = entity.network_timeout = _MOVE_S
        entity.add_requested_context(_STUDY_ROOT_MOVE)
        with self._association(address, entity) as association:
            try:
                answers = list(association.send_c_move(query, self._settings.ae_title, _STUDY_ROOT_MOVE))
            except (ValueError, RuntimeError) as error:
                raise CallFailed(f"it sends nothing on request ({type(error).__name__})") from None
        _check(answers[-1][0] if answers else None, "it did not send all that was asked for", warnings=False)


def _check(status: "Dataset | None", what: str, *, warnings: bool = True) -> None:
    code = None if status is None else status.get("Status")
    if code is None:
        raise CallFailed("it gave no answer")
    taken = code == 0x0000 or (warnings and (code in (0x0001, 0x0107, 0x0116) or 0xB000 <= code <= 0xBFFF))
    if not taken:
        raise CallFailed(f"{what} (status {code:04X})")
