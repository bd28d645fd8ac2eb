"""Storage commitment (PS3.4 annex J): a peer asks whether instances are safe here, and is told on another association.

What was asked is in the journal before the question is answered, so that a report is sent also after a crash. An
instance is committed to while it is held in the spool; this node is no archive, and after the retention it is not.
"""

import json
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from isthmus.clinic.dataset_outline import UID_PATTERN
from isthmus.clinic.inbox import Inbox
from isthmus.clinic.node_settings import DicomAddress

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from isthmus.clinic.dicom_caller import DicomCaller

PUSH_MODEL: Final = "1.2.840.10008.1.20.1"
_PUSH_MODEL_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
_REQUEST: Final = 1
_SUCCESS, _NO_SUCH_ACTION, _INVALID_ARGUMENT, _LIMITED = 0x0000, 0x0123, 0x0115, 0x0213
_NO_SUCH_INSTANCE, _CLASS_INSTANCE_CONFLICT = 0x0112, 0x0119  # PS3.3 C.14.1.1
_ALL_SAFE, _SOME_NOT = 1, 2  # event types
_MOST_INSTANCES: Final = 20_000


def take_request(inbox: Inbox, peer: str, action: int, information: "Dataset") -> int:
    """Write a request for commitment into the journal; return the status of the answer."""
    if action != _REQUEST:
        return _NO_SUCH_ACTION
    transaction = str(information.get("TransactionUID", ""))
    items = information.get("ReferencedSOPSequence") or []
    if len(items) > _MOST_INSTANCES:
        return _LIMITED
    pairs = [[str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", ""))]
             for item in items]  # fmt: skip
    identifiers = [transaction, *(uid for pair in pairs for uid in pair)]
    if not pairs or not all(UID_PATTERN.fullmatch(one) for one in identifiers):
        return _INVALID_ARGUMENT
    asked = json.dumps({"transaction": transaction, "instances": pairs})

    def write(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO commitments (peer, asked) VALUES (?, ?)", (peer, asked))

    inbox.journal.change(write)
    return _SUCCESS


def report(inbox: Inbox, asked: str, address: DicomAddress, caller: "DicomCaller") -> int:
    """Tell a peer, on an association of our own, which of the instances are safe; return how many are.

    Raises
    ------
    CallFailed
        When it could not be told.
    """
    request = json.loads(asked)
    information, safe = _events(inbox, request)
    event = _ALL_SAFE if safe == len(request["instances"]) else _SOME_NOT
    caller.report_event(address, information, event, PUSH_MODEL, _PUSH_MODEL_INSTANCE)
    return safe


def _events(inbox: Inbox, request: dict[str, Any]) -> "tuple[Dataset, int]":
    from pydicom.dataset import Dataset

    information = Dataset()
    information.TransactionUID = request["transaction"]
    safe, failed = [], []
    for sop_class, sop_instance in request["instances"]:
        key = inbox.journal.name_of(sop_instance)
        rows = inbox.journal.rows("SELECT sop_class, study FROM instances WHERE key = ? AND held", key)
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
        if rows and rows[0]["sop_class"] == sop_class and inbox.path_of(rows[0]["study"], key).is_file():
            safe.append(item)
        else:
            item.FailureReason = _CLASS_INSTANCE_CONFLICT if rows else _NO_SUCH_INSTANCE
            failed.append(item)
    if safe:
        information.ReferencedSOPSequence = safe
    if failed:
        information.FailedSOPSequence = failed
    return information, len(safe)
