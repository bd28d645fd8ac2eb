"""Arms against readers by their calls among several classes: who was right where the other was wrong."""

from typing import Any

import numpy as np
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.reads import readings, reads_by_split
from isthmus.report.subject import Study
from isthmus.statistics.interval import holm
from isthmus.statistics.mcnemar import mcnemar


def against_readers(table: AnalysisTable, study: Study) -> list[dict[str, Any]]:
    """Return McNemar's test of each arm's calls against each reader's, on the units that both called.

    Parameters
    ----------
    table : AnalysisTable
        With calls; of several seeds the first one's are compared.
    study : Study
        With ``reads``.

    Returns
    -------
    list of dict
        ``split``, ``arm``, ``name`` of the reader, ``experience``, ``condition``, ``session``, ``n``, ``n_groups``,
        ``b`` (right by the arm alone), ``c`` (by the reader alone), ``both_right``, McNemar's p (``mid_p`` and
        ``exact_p`` where every group is one case, ``clustered_p`` else), ``p`` (the one of these that holds) and
        ``p_holm`` over the rows of a split.
    """
    found: list[dict[str, Any]] = []
    for split, read in reads_by_split(table, study).items():
        called, rows = read[read["call"] != ""], list[dict[str, Any]]()
        for arm in dict.fromkeys(table.rows.loc[table.rows["split"] == split, "arm"]):
            own = table.part(str(arm), split)
            own = own[(own["seed"] == own["seed"].min()) & (own["call"] != "")]
            rows += [
                {"split": split, "arm": str(arm), **who, **entry}
                for who, theirs in readings(called)
                if (entry := _tested(own, theirs))
            ]
        adjusted = holm([np.nan if row["p"] is None else row["p"] for row in rows]).tolist() if rows else []
        found += [
            {**row, "p_holm": float(p) if np.isfinite(p) else None} for row, p in zip(rows, adjusted, strict=True)
        ]
    return found


def _tested(arm: DataFrame, reader: DataFrame) -> dict[str, Any]:
    both = reader.drop_duplicates("unit_id").merge(arm[["unit_id", "call"]], on="unit_id", suffixes=("", "_arm"))
    if both.empty:
        return {}
    right, theirs = (both[name] == both["label"] for name in ("call_arm", "call"))
    test = mcnemar(right.to_numpy(), theirs.to_numpy(), both["group_id"].to_numpy(dtype=str)).as_dict()
    return {
        "n": len(both),
        "n_groups": int(both["group_id"].nunique()),
        "both_right": int((right & theirs).sum()),
        **test,
        "p": test["clustered_p"] if test["mid_p"] is None else test["mid_p"],
    }
