"""Columns that hold readers' calls become `reads.csv`, one row a reading."""

from collections import defaultdict

from isthmus.cohort.cell_values import NotUnderstood, meaning
from isthmus.cohort.draft import CohortDraft
from isthmus.cohort.map_parts import TargetSource
from isthmus.cohort.mapping import CohortMap
from isthmus.cohort.people import Entry
from isthmus.cohort.source_table import CellFault, SourceTable


def add_reads(draft: CohortDraft, entries: list[Entry], table: SourceTable, mapping: CohortMap) -> list[CellFault]:
    """Add every reader's call of every unit.

    Parameters
    ----------
    draft : CohortDraft
        To be filled.
    entries : list of Entry
        Those whose pictures gave a view.
    table : SourceTable
        Where the readers' columns stand.
    mapping : CohortMap
        The map; nothing happens without its ``reads``.

    Returns
    -------
    list of CellFault
        Calls that are no class, and calls of one unit that contradict each other; neither is taken.
    """
    reads = mapping.reads
    if reads is None:
        return []
    target = mapping.targets[reads.target]
    called = TargetSource(heading="-", values=reads.values, classes=target.classes, reference=target.reference)
    faults: list[CellFault] = []
    for heading, reader in reads.readers().items():
        calls: dict[str, dict[int, str]] = defaultdict(dict)
        for entry in entries:
            unit = entry.nodule if target.unit == "nodule" else entry.patient
            if entry.row in calls[unit]:
                continue
            try:
                calls[unit][entry.row] = meaning(reads.target, str(table.frame.at[entry.row, heading]), called)
            except NotUnderstood as error:
                calls[unit][entry.row] = ""
                faults.append(table.fault(entry.row, heading, str(error)))
        for unit, by_row in calls.items():
            given = {row: call for row, call in by_row.items() if call}
            if len(set(given.values())) == 1:
                experience = reads.experience.get(reader, "")
                draft.add_read(
                    reader, reads.condition, reads.target, unit, call=next(iter(given.values())), experience=experience
                )
            elif given:
                last = max(given)
                faults.append(table.fault(last, heading, f"one call of one {target.unit}; left out"))
    return faults
