"""What the heads of a run's fused arms selected, for the report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isthmus.files import read_json, write_json
from isthmus.models.mean_head import MEAN
from isthmus.protocol.fused_fits import FusedFit
from isthmus.report.selection import Head, summarise_selection


def add_selection(run_folder: Path, fused: Sequence[FusedFit], evidence: dict[str, Any]) -> None:
    """Add to `evidence`, and to `evidence.json`, under `selection`, what the heads of all folds and seeds selected.

    Parameters
    ----------
    run_folder : Path
        With the finished heads.
    fused : sequence of FusedFit
        All of the run, each with its chosen classifier as its only candidate.
    evidence : dict
        The content of `evidence.json`.
    """
    heads: dict[str, list[Head]] = {}
    fitted = [fit for fit in fused if fit.fusion.settings.join != MEAN]
    modes = {fit.key: fit.fusion.settings.mode for fit in fitted}
    for fit in fitted:
        (classifier,) = fit.fusion.candidates
        paths = read_json(fit.folder(run_folder, classifier) / "path.json", name="fused-path")["pairs"]
        heads.setdefault(fit.key, []).extend(Head(fit.seed, fit.fold, name, path) for name, path in paths.items())
    if heads:
        evidence["selection"] = {key: summarise_selection(own, modes[key]) for key, own in heads.items()}
        write_json(run_folder / "evidence.json", evidence)
