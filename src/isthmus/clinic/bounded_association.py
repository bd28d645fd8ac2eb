"""Associations that cannot exhaust the node: every wait and every length that a peer announces has an end.

pynetdicom waits without end for the rest of a message, takes any announced length, and gathers a data set in memory.
Here a connection has a deadline for each message, a message has a greatest length, and the data set of a C-STORE goes
to the inbox as it arrives.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from isthmus.clinic.inbox import Arrival, Inbox
from isthmus.clinic.node_settings import Limits

_LARGEST_REQUEST: Final = 1 << 20  # an A-ASSOCIATE-RQ of 128 contexts with 60 transfer syntaxes each has half of it
_LARGEST_COMMAND_DATA: Final = 4 << 20  # a storage commitment of 10,000 instances has 2 MB
_MOST_WAITING_MESSAGES: Final = 8
_PART = 1 << 16
_CONNECTIONS_BESIDE: Final = 10


class MayConnect(Protocol):
    """Tells whether a connection may come from an address."""

    def __call__(self, address: str) -> bool:
        """Tell it."""


class _Socket(AssociationSocket):
    """A connection on which a whole message has to come within a time, and of no more than a length."""

    def __init__(self, association: Association, connection: socket.socket, limits: Limits) -> None:
        super().__init__(association, client_socket=connection)
        self._seconds = limits.stalled_s
        self._largest = max(limits.pdu_kilobytes << 10, _LARGEST_REQUEST) + 6

    def recv(self, nr_bytes: int) -> bytearray:
        if nr_bytes > self._largest:
            raise OSError("a message is longer than was agreed")
        connection = self.socket
        assert connection is not None
        until = time.monotonic() + self._seconds
        found = bytearray()
        while len(found) < nr_bytes:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("a message did not come to its end in time")
            connection.settimeout(left)
            part = connection.recv(min(nr_bytes - len(found), _PART))
            if not part:
                break
            found += part
        connection.settimeout(self._seconds)  # of sending
        return found


class IncomingDataSet(io.BytesIO):
    """What pynetdicom writes a message's data set to: of a C-STORE the inbox, of anything else a little memory."""

    def __init__(self, message: DIMSEMessage, provider: "_Provider") -> None:
        super().__init__()
        self._message = message
        self._provider = provider
        self.arrival: Arrival | None = None

    def write(self, part: Any) -> int:
        """Take the next bytes."""
        if isinstance(self._message, C_STORE_RQ):
            if self.arrival is None:
                self.arrival = self._provider.arriving(self._message)
            self.arrival.write(part)
        elif self.tell() + len(part) > _LARGEST_COMMAND_DATA:
            raise OSError("the data set of a command is too long")
        else:
            super().write(part)
        return len(part)


class _Provider(DIMSEServiceProvider):
    """Gathers messages, the data sets of C-STORE on disk."""

    def __init__(self, association: Association, inbox: Inbox) -> None:
        super().__init__(association)
        self._inbox = inbox
        self._open: list[IncomingDataSet] = []

    def receive_primitive(self, primitive: P_DATA) -> None:
        try:
            self._receive(primitive)
        except Exception:
            # A command that cannot be read, or is one too many. pynetdicom's own reactor would end without a word.
            self.message = None
            self.dul.event_queue.put("Evt19")

    def _receive(self, primitive: P_DATA) -> None:
        if self.message is None:
            self.message = DIMSEMessage()
            self._open = [one for one in self._open if one.arrival is not None and not one.arrival.ended]
            self.message.data_set = IncomingDataSet(self.message, self)
            self._open.append(self.message.data_set)
            if self.msg_queue.qsize() > _MOST_WAITING_MESSAGES:
                raise OSError("too many messages without waiting for answers")
        if len(self.message.encoded_command_set.getbuffer()) > _LARGEST_COMMAND_DATA:
            raise OSError("a command is too long")
        super().receive_primitive(primitive)

    def arriving(self, message: C_STORE_RQ) -> Arrival:
        command, context = message.command_set, self.assoc._accepted_cx.get(message.context_id or 0)
        if context is None:
            raise OSError("a message of a context that was not agreed")
        said = [str(command.get(name, "")) for name in ("AffectedSOPClassUID", "AffectedSOPInstanceUID")]
        if said[0] != context.abstract_syntax:
            said[1] = ""  # refused as no UID: the class is another than was agreed
        return self._inbox.arriving(str(context.abstract_syntax), said[1], str(context.transfer_syntax[0]))

    @property
    def in_the_middle(self) -> bool:
        """Tell whether a message is arriving, or waits for its answer."""
        return self.message is not None or not self.msg_queue.empty()

    def discard_unfinished(self) -> None:
        """Remove what arrived of messages that will never be complete."""
        for one in self._open:
            if one.arrival is not None:
                one.arrival.discard()
        self._open = []


class BoundedServer(ThreadedAssociationServer):
    """Accepts connections of known addresses; a slow one keeps no other waiting, also while TLS is agreed."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *given: Any, inbox: Inbox, may_connect: MayConnect, refused: Callable[[str], None], **more: Any):
        self.inbox = inbox
        self._may_connect = may_connect
        self._refused = refused
        self._known: list[Association] = []
        super().__init__(*given, **{**more, "request_handler": _Handler})

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, without agreeing on TLS yet: that is left to the connection's own thread."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.settimeout(self.inbox.limits.stalled_s)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Tell whether a connection is let in."""
        if not self._may_connect(client_address[0]):
            self._refused("an address that no peer has")
            return False
        # Above the limit of associations a request is refused politely; far above it, connections are.
        if len(self.active_associations) > 2 * self.inbox.limits.associations + _CONNECTIONS_BESIDE:
            self._refused("too many connections")
            return False
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Begin an association, in a thread of its own."""
        try:
            if self.ssl_context is not None:
                request = self.ssl_context.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            self._refused("TLS could not be agreed")
            self.shutdown_request(request)
            return
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of a connection that broke."""
        self._refused("the connection broke")

    def service_actions(self) -> None:
        """Tidy up after associations that ended; called twice a second."""
        super().service_actions()
        for association in [one for one in self._known if not one.is_alive() and not one.dul.is_alive()]:
            association.dimse.discard_unfinished()  # type: ignore[attr-defined]
            self._known.remove(association)

    def know(self, association: Association) -> None:
        """Remember an association, to tidy up when it has ended."""
        self._known.append(association)


class _Handler(RequestHandler):
    server: BoundedServer

    def _create_association(self) -> Association:
        association = super()._create_association()
        inbox = self.server.inbox
        association.dul.event_queue.get_nowait()  # "connected", which the socket put there that is replaced here
        association.dul.socket = _Socket(association, self.request, inbox.limits)
        association.dimse = _Provider(association, inbox)
        return association

    def handle(self) -> None:
        association = self._create_association()
        association.start()
        self.server.know(association)
