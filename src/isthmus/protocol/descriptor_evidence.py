"""Evidence on descriptors: how well held-out nodules were described, and the ACR points and levels that come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from isthmus.inference.seen_tirads import likeliest
from isthmus.protocol.cases import Cases
from isthmus.protocol.described import HeldOut, held_out_descriptors
from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.descriptors import descriptor_rows
from isthmus.report.seen_findings import finding_rows, level_rows, tirads_rows
from isthmus.training.spec import FitSpec


@dataclass(frozen=True, eq=False)
class DescriptorEvidence:
    """What is known of arms that learn descriptors; empty where none does.

    Parameters
    ----------
    findings : list of dict
        `arm`, `split`, `descriptor`, and what :func:`isthmus.report.descriptors.descriptor_rows` and
        :func:`isthmus.report.seen_findings.finding_rows` give.
    tirads : list of dict
        `arm`, `split`, `n`, `n_groups`, and what :func:`isthmus.report.seen_findings.tirads_rows` gives, on nodules
        of which readers recorded every descriptor that the arm learns.
    seen : dict of str to DataFrame
        By arm, of the first seed: `nodule_id` and the likeliest finding of each descriptor.
    """

    findings: list[dict[str, Any]] = field(default_factory=list)
    tirads: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, pd.DataFrame] = field(default_factory=dict)

    def tables(self, table: AnalysisTable) -> dict[str, list[dict[str, Any]]]:
        """Return what `evidence.json` and `tables/` hold of it, by name.

        Parameters
        ----------
        table : AnalysisTable
            Of the run: of two classes the levels stand beside the arms' calibrated probabilities.
        """
        found = {"descriptors": self.findings, "seen_tirads": self.tirads, "seen_levels": self._levels(table)}
        return {name: rows for name, rows in found.items() if rows}

    def _levels(self, table: AnalysisTable) -> list[dict[str, Any]]:
        if len(table.classes) != 2 or table.unit != "nodule":  # a level is a nodule's
            return []
        rows = []
        for arm, seen in self.seen.items():
            own = table.part(arm, "cv")
            first = own[own["seed"] == own["seed"].min()]
            rows += [{"arm": arm, "split": "cv", **row} for row in level_rows(seen, first)]
        return rows


def descriptor_evidence(run_folder: Path, cases: Cases, fits: Sequence[FitSpec]) -> DescriptorEvidence:
    """Return how well each arm's held-out nodules were described.

    Parameters
    ----------
    run_folder : Path
        The run.
    cases : Cases
        What the arms were trained on.
    fits : sequence of FitSpec
        Finished fits.
    """
    evidence = DescriptorEvidence()
    for arm in dict.fromkeys(fit.arm for fit in fits):
        own = [fit for fit in fits if fit.arm == arm and fit.descriptors is not None]
        if not own or own[0].descriptors is None:
            continue
        heads, found = own[0].descriptors.heads, held_out_descriptors(run_folder, cases, own)
        where = {"arm": arm, "split": "cv"}
        for name, codes in heads.items():
            rows = _of_descriptor(name, codes, found[name])
            evidence.findings.extend({**where, "descriptor": name, **row} for row in rows)
        evidence.tirads.extend({**where, **row} for row in _of_tirads(heads, found))
        evidence.seen[arm] = _seen(heads, found)
    return evidence


def _of_descriptor(name: str, codes: Sequence[str], held: HeldOut) -> list[dict[str, Any]]:
    kept = held.recorded
    rows, has = held.rows[kept].reset_index(drop=True), held.has[kept]
    if rows.empty:
        return []
    scores = rows.assign(**{code: held.given[kept][:, place] for place, code in enumerate(codes)})
    ranked = descriptor_rows(scores, pd.DataFrame(has, columns=list(codes)))
    sizes = {"code": "", "n": rows["nodule_id"].nunique(), "n_groups": rows["group_id"].nunique(), "positive": ""}
    groups = rows["group_id"].to_numpy(str)
    agreed = finding_rows(name, codes, held.given[kept], held.calibrated[kept], has, groups)
    return [*ranked, *({**sizes, **row} for row in agreed)]


def _of_tirads(heads: Mapping[str, Sequence[str]], found: Mapping[str, HeldOut]) -> list[dict[str, Any]]:
    """Return the agreement in points and levels; nothing without the composition, which decides whether any count."""
    complete = np.logical_and.reduce([found[name].recorded for name in heads])
    if "composition" not in heads or not complete.any():
        return []
    seen = _codes(heads, {name: found[name].calibrated[complete] for name in heads})
    read = _codes(heads, {name: found[name].has[complete] for name in heads})
    rows = next(iter(found.values())).rows[complete]
    sizes = {"n": rows["nodule_id"].nunique(), "n_groups": rows["group_id"].nunique()}
    return [{**sizes, **row} for row in tirads_rows(seen, read, rows["group_id"].to_numpy(str))]


def _seen(heads: Mapping[str, Sequence[str]], found: Mapping[str, HeldOut]) -> pd.DataFrame:
    rows = next(iter(found.values())).rows
    first = (rows["seed"] == rows["seed"].min()).to_numpy()
    codes = _codes(heads, {name: found[name].calibrated[first] for name in heads})
    return codes.assign(nodule_id=rows["nodule_id"][first].to_numpy())


def _codes(heads: Mapping[str, Sequence[str]], values: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({name: likeliest(name, codes, values[name]) for name, codes in heads.items()})
