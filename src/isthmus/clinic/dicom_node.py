"""The node's own services: verification, storage and requests for commitment, for the peers of its file.

Every answer is a DICOM status; nothing that a peer sends ends the service.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import _STORAGE_CLASSES, register_uid

from isthmus.clinic.bounded_association import BoundedServer, IncomingDataSet
from isthmus.clinic.dicom_caller import quiet_pynetdicom
from isthmus.clinic.inbox import NOT_UNDERSTOOD, SUCCESS, Inbox, Refused
from isthmus.clinic.node_log import NodeLog
from isthmus.clinic.node_settings import SOP_CLASSES, NodeSettings
from isthmus.clinic.storage_commitment import PUSH_MODEL, take_request
from isthmus.clinic.tls import tls_context
from isthmus.clinic.transfer_syntaxes import ALL, UNCOMPRESSED
from isthmus.errors import InputError

# Of an A-ASSOCIATE-RJ (PS3.8 9.3.4): result, source, reason.
_PERMANENT, _SERVICE_USER, _UNKNOWN_CALLING_TITLE = 0x01, 0x01, 0x03
_TRANSIENT, _PRESENTATION, _LOCAL_LIMIT_EXCEEDED = 0x02, 0x03, 0x02
_UNCOUNTED: Final = 1_000_000
_CANNOT_BE_DONE: Final = 0x0110
_VERIFICATION: Final = "1.2.840.10008.1.1"
_FINISH_S = 20.0
_POLL_S: Final = 0.5  # pynetdicom collects garbage at every sixtieth


class DicomNode:
    """Listens, and puts what it takes into the inbox.

    Parameters
    ----------
    settings : NodeSettings
        Peers, classes, limits.
    inbox : Inbox
        Where instances go.
    log : NodeLog
        Where events are told.
    """

    def __init__(self, settings: NodeSettings, inbox: Inbox, log: NodeLog) -> None:
        quiet_pynetdicom()
        self._settings, self._inbox, self._log = settings, inbox, log
        self._titles = {peer.ae_title: name for name, peer in settings.peers.items()}
        self._busy: set[Association] = set()
        self._stopping = threading.Event()
        self._server = self._listening()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="dicom", daemon=True)

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to accept associations."""
        self._thread.start()

    def _listening(self) -> BoundedServer:
        limits, listen = self._settings.limits, self._settings.listen
        entity = AE(ae_title=self._settings.ae_title)
        entity.require_called_aet = True
        entity.maximum_pdu_size = limits.pdu_kilobytes << 10
        entity.maximum_associations = _UNCOUNTED  # counted here, without those that never asked for anything
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = limits.stalled_s
        entity.add_supported_context(_VERIFICATION, list(UNCOMPRESSED))
        entity.add_supported_context(PUSH_MODEL, list(UNCOMPRESSED))
        for name in self._settings.sop_classes:
            if SOP_CLASSES[name] not in _STORAGE_CLASSES.values():
                register_uid(SOP_CLASSES[name], name, StorageServiceClass)
            entity.add_supported_context(SOP_CLASSES[name], list(ALL))
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_ECHO, lambda _: SUCCESS),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._asked_for_commitment),
        ]
        tls = self._settings.tls
        try:
            server: Any = entity.make_server(
                (listen.address, listen.port),
                evt_handlers=handlers,
                ssl_context=None if tls is None else tls_context(tls, "server"),
                server_class=BoundedServer,
                inbox=self._inbox,
                may_connect=self._may_connect,
                refused=lambda why: self._log("refused", f"a connection was refused: {why}"),
            )
        except OSError as error:
            raise InputError(
                f"nothing can listen here: {error.strerror}",
                where=f"{listen.address}, port {listen.port}",
                hint="end what listens there, or choose another port in the node's file",
            ) from error
        entity._servers.append(server)
        assert isinstance(server, BoundedServer)
        return server

    def _may_connect(self, address: str) -> bool:
        known = any(peer.may_come_from(address) for peer in self._settings.peers.values())
        return known and not self._stopping.is_set()

    def _requested(self, event: Event) -> None:
        """Refuse a title that is not known, or does not come from where it should."""
        association = event.assoc
        title = str(getattr(association.requestor.primitive, "calling_ae_title", "")).strip()
        address = str(association.requestor.address)
        name = self._titles.get(title)
        if name is None or not self._settings.peers[name].may_come_from(address):
            self._log("refused", "an association was refused: no peer has this calling title and address")
            self._reject(association, _PERMANENT, _SERVICE_USER, _UNKNOWN_CALLING_TITLE)
        elif sum(one.is_established for one in self._server.active_associations) >= self._settings.limits.associations:
            self._log("refused", "an association was refused: as many as allowed are open")
            self._reject(association, _TRANSIENT, _PRESENTATION, _LOCAL_LIMIT_EXCEEDED)

    def _reject(self, association: Association, result: int, source: int, reason: int) -> None:
        association.acse.send_reject(result, source, reason)
        evt.trigger(association, evt.EVT_REJECTED, {})
        association.kill()

    def _store(self, event: Event) -> Any:
        with self._serving(event.assoc):
            data = getattr(event.request, "DataSet", None)
            arrival = data.arrival if isinstance(data, IncomingDataSet) else None
            try:
                if arrival is None:
                    raise Refused(NOT_UNDERSTOOD, "a C-STORE without a data set")
                kept = arrival.keep()
            except Refused as refusal:
                self._log(
                    "refused", f"an instance was refused ({refusal.status:04X}): {refusal.why}", status=refusal.status
                )
                return _answer(refusal.status, refusal.why)
            if kept.new:
                self._log.received(kept.study)
            comment = "another content of this instance is held already" if kept.status != SUCCESS else None
            return _answer(kept.status, comment)

    def _asked_for_commitment(self, event: Event) -> tuple[int, None]:
        with self._serving(event.assoc):
            peer = self._titles[str(event.assoc.requestor.ae_title).strip()]
            try:
                status = take_request(self._inbox, peer, int(event.action_type or 0), event.action_information)
            except Exception as error:
                self._log("fault", f"a request for commitment could not be read ({type(error).__name__})")
                return _CANNOT_BE_DONE, None
            self._log("commitment", f"commitment asked for by {peer} (answer {status:04X})", status=status)
            return status, None

    @contextmanager
    def _serving(self, association: Association) -> Iterator[None]:
        self._busy.add(association)
        try:
            yield
        finally:
            self._busy.discard(association)

    def stop(self) -> None:
        """Accept nothing more, let each association finish its current instance, and end them all."""
        self._stopping.set()
        until = time.monotonic() + _FINISH_S
        while open_ones := self._server.active_associations:
            for association in open_ones:
                if time.monotonic() > until or not self._in_the_middle(association):
                    association.abort(block=False)
            time.sleep(0.01)
            if time.monotonic() > until + 5:
                break
        if self._thread.is_alive():
            self._server.shutdown()
        else:
            self._server.server_close()

    def _in_the_middle(self, association: Association) -> bool:
        return (
            association in self._busy
            or bool(getattr(association.dimse, "in_the_middle", False))
            or not association.dul.to_provider_queue.empty()
        )


def _answer(status: int, comment: str | None) -> Any:
    from pydicom.dataset import Dataset

    answer = Dataset()
    answer.Status = status
    if comment is not None:
        answer.ErrorComment = comment[:64]  # LO
    return answer
