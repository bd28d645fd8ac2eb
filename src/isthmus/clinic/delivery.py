"""What goes out: results to the destinations of the node's file, and reports of commitment to the peers that asked.

Each is tried until it is taken, waiting longer each time; after the last attempt it is parked, and listed.
"""

import sqlite3
import time
from collections.abc import Callable

from isthmus.clinic.dicom_caller import CallFailed, DicomCaller
from isthmus.clinic.dicom_web import DicomWeb
from isthmus.clinic.inbox import Inbox
from isthmus.clinic.node_log import NodeLog
from isthmus.clinic.node_settings import NodeSettings, PullFromWeb, WebAddress
from isthmus.clinic.storage_commitment import report
from isthmus.errors import IsthmusError


class Deliveries:
    """Sends what the journal says is still to be sent.

    Parameters
    ----------
    settings : NodeSettings
        Destinations, peers and retries.
    inbox : Inbox
        What is held.
    log : NodeLog
        Where events are told.
    """

    def __init__(self, settings: NodeSettings, inbox: Inbox, log: NodeLog) -> None:
        self._settings, self._inbox, self._log = settings, inbox, log
        self._caller = DicomCaller(settings)

    def step(self) -> bool:
        """Send one thing; return whether there was one."""
        return self._report_commitment() or self._send_result()

    def _send_result(self) -> bool:
        rows = self._inbox.journal.rows(
            "SELECT * FROM deliveries WHERE state = 'pending' AND next_at <= ? ORDER BY next_at, number LIMIT 1",
            time.time(),
        )
        if not rows:
            return False
        row = rows[0]
        what = f"study {row['study']}: result to {row['destination']}"
        self._attempt("deliveries", row, what, lambda: self._send(row["destination"], row["file"]))
        return True

    def _send(self, destination: str, file: str) -> str:
        address = self._settings.destinations.get(destination)
        if address is None:
            raise CallFailed("the node's file names no such destination any more")
        path = self._inbox.folder / "results" / file
        if not path.is_file():
            raise CallFailed("the result is no longer in the spool")
        if isinstance(address, WebAddress):
            web_service(address, self._settings).store(path)
        else:
            self._caller.store(address, path)
        return "delivered"

    def _report_commitment(self) -> bool:
        rows = self._inbox.journal.rows(
            "SELECT * FROM commitments WHERE state = 'pending' AND next_at <= ? ORDER BY next_at, number LIMIT 1",
            time.time(),
        )
        if not rows:
            return False
        row = rows[0]

        def tell() -> str:
            peer = self._settings.peers.get(row["peer"])
            address = None if peer is None else peer.called_at()
            if address is None:
                raise CallFailed("the node's file has no address and port of this peer")
            return f"{report(self._inbox, row['asked'], address, self._caller)} instances are safe here"

        self._attempt("commitments", row, f"commitment reported to {row['peer']}", tell)
        return True

    def _attempt(self, table: str, row: sqlite3.Row, what: str, act: Callable[[], str]) -> None:
        journal, retry, attempts = self._inbox.journal, self._settings.retry, int(row["attempts"]) + 1
        try:
            done = act()
        except Exception as failure:
            # Of our own errors the text says why and names nobody; of any other its kind has to do.
            told = isinstance(failure, CallFailed | IsthmusError)
            why = str(failure) if told else f"a fault ({type(failure).__name__})"
            given_up = attempts >= retry.attempts
            with journal.changing() as connection:
                connection.execute(
                    f"UPDATE {table} SET state = ?, attempts = ?, next_at = ?, fault = ? WHERE number = ?",
                    (
                        "parked" if given_up else "pending", attempts, time.time() + retry.wait_s(attempts),
                        why, row["number"],
                    ),
                )  # fmt: skip
            then = "given up; it is listed by --status" if given_up else f"again in {retry.wait_s(attempts):g} s"
            self._log("undelivered", f"{what}: {why}; {then}", attempts=attempts)
            return
        with journal.changing() as connection:
            # What was asked for commitment holds identifiers: not kept longer than needed.
            last, value = ("asked", None) if table == "commitments" else ("delivered_at", time.time())
            connection.execute(
                f"UPDATE {table} SET state = 'delivered', attempts = ?, fault = NULL, {last} = ? WHERE number = ?",
                (attempts, value, row["number"]),
            )
        self._log("delivered", f"{what}: {done}", attempts=attempts)


def web_service(address: WebAddress | PullFromWeb, settings: NodeSettings) -> DicomWeb:
    """Return the client of a DICOMweb address under the node's limits."""
    limits = settings.limits
    return DicomWeb(
        address.url,
        address.authorization,
        address.authority,
        seconds=limits.stalled_s,
        largest_bytes=(limits.instance_megabytes + 1) << 20,
    )
