"""Asking archives for studies: found by modality and date, fetched once, and the same way into the inbox as any other.

What was fetched completely is in the journal with its number of instances: a series is fetched again only when the
archive has more of it. The node's own results are of other series and modalities, and are never fetched.
"""

import sqlite3
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from isthmus.clinic.dicom_caller import CallFailed, DicomCaller
from isthmus.clinic.dicom_web import DicomWeb
from isthmus.clinic.inbox import Inbox, Refused
from isthmus.clinic.node_log import NodeLog
from isthmus.clinic.node_settings import SOP_CLASSES, NodeSettings, Pull, PullFromPeer
from isthmus.errors import IsthmusError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class Puller:
    """Asks one archive.

    Parameters
    ----------
    settings : NodeSettings
        The node's file.
    number : int
        Which of its `pull` sections.
    inbox : Inbox
        Where instances go.
    log : NodeLog
        Where events are told.
    """

    def __init__(self, settings: NodeSettings, number: int, inbox: Inbox, log: NodeLog) -> None:
        self._settings, self._inbox, self._log = settings, inbox, log
        self.pull: Pull = settings.pull[number]
        self._name = f"pull.{number}"

    def once(self, stopped: Callable[[], bool] = lambda: False) -> int:
        """Ask, and fetch what is new; return how many series were fetched; a fault is told, not raised."""
        fetched = 0
        try:
            for series in self._found():
                if stopped():
                    break
                fetched += self._fetch_if_new(series)
        except (CallFailed, IsthmusError) as failure:
            self._log("unfetched", f"{self._name}: {failure}; again at the next time")
        return fetched

    def _source(self) -> str:
        pull = self.pull
        return f"peer {pull.peer}" if isinstance(pull, PullFromPeer) else f"web {pull.url}"

    def _fetch_if_new(self, series: "Dataset") -> int:
        journal = self._inbox.journal
        study, identifier = str(series.StudyInstanceUID), str(series.SeriesInstanceUID)
        key, count = journal.name_of(identifier), int(series.get("NumberOfSeriesRelatedInstances") or 0)
        known = journal.rows("SELECT instances FROM pulled WHERE source = ? AND key = ?", self._source(), key)
        if known and count <= known[0]["instances"]:
            return 0
        try:
            self._fetch(study, identifier)
        except CallFailed as failure:
            self._log("unfetched", f"{self._name}: a series of {count} instances: {failure}; again at the next time")
            return 0

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO pulled VALUES (?, ?, ?)", (self._source(), key, count))

        journal.change(write)
        self._log("fetched", f"{self._name}: a series of {count} instances fetched", instances=count)
        return 1

    def _found(self) -> "Iterable[Dataset]":
        today = date.today()  # archives date studies by their own clocks, without a zone
        dates = f"{today - timedelta(days=self.pull.days - 1):%Y%m%d}-{today:%Y%m%d}"
        if isinstance(self.pull, PullFromPeer):
            return self._found_by_query(dates)
        return self._web().series_of(self.pull.modalities, dates)

    def _found_by_query(self, dates: str) -> "Iterable[Dataset]":
        caller, address = self._peer()
        found = []
        for modality in self.pull.modalities:
            asked = _query("STUDY", StudyDate=dates, ModalitiesInStudy=modality, StudyInstanceUID="")
            for study in caller.find(address, asked):
                series = _query(
                    "SERIES", StudyInstanceUID=study.StudyInstanceUID, Modality=modality, SeriesInstanceUID="",
                    NumberOfSeriesRelatedInstances=None,
                )  # fmt: skip
                for one in caller.find(address, series):
                    one.StudyInstanceUID = study.StudyInstanceUID
                    found.append(one)
        return found

    def _fetch(self, study: str, series: str) -> None:
        if isinstance(self.pull, PullFromPeer):
            caller, address = self._peer()
            caller.move(address, _query("SERIES", StudyInstanceUID=study, SeriesInstanceUID=series))
            return
        web, journal = self._web(), self._inbox.journal
        for instance in web.instances_of(study, series):
            if journal.rows("SELECT 1 FROM instances WHERE key = ? AND held", journal.name_of(instance)):
                continue  # fetched before this node was stopped
            self._keep(web.fetch(study, series, instance))

    def _keep(self, dataset: "Dataset") -> None:
        from pynetdicom.dsutils import encode

        if str(dataset.SOPClassUID) not in {SOP_CLASSES[name] for name in self._settings.sop_classes}:
            return
        syntax = dataset.file_meta.TransferSyntaxUID
        encoded = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian)
        if encoded is None:
            raise CallFailed("an instance cannot be encoded")
        arrival = self._inbox.arriving(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), str(syntax))
        arrival.write(encoded)
        try:
            kept = arrival.keep()
        except Refused as refusal:
            raise CallFailed(f"an instance was refused: {refusal.why}") from None
        if kept.new:
            self._log.received(kept.study)

    def _peer(self) -> Any:
        assert isinstance(self.pull, PullFromPeer)
        return DicomCaller(self._settings), self._settings.peers[self.pull.peer].called_at()

    def _web(self) -> DicomWeb:
        from isthmus.clinic.delivery import web_service

        assert not isinstance(self.pull, PullFromPeer)
        return web_service(self.pull, self._settings)


def _query(level: str, **asked: Any) -> "Dataset":
    from pydicom.dataset import Dataset

    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword, value in asked.items():
        setattr(query, keyword, value)
    return query
