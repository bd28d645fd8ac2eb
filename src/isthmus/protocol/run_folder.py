"""A finished run, opened for reading: its tables, its evidence, its models."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from isthmus.errors import InputError
from isthmus.files import read_json, read_yaml
from isthmus.protocol.schema import Protocol, validate
from isthmus.tables.predictions import read_predictions

if TYPE_CHECKING:
    from isthmus.inference.predictor import Predictor


@dataclass(frozen=True)
class Run:
    """A run folder.

    Parameters
    ----------
    folder : Path
        The folder that `isthmus run` left.
    failed : tuple of str
        Fits that failed in the last call, one sentence each.
    """

    folder: Path
    failed: tuple[str, ...] = ()

    @cached_property
    def protocol(self) -> Protocol:
        """The resolved protocol."""
        return validate(read_yaml(self.folder / "protocol.yaml", name="protocol"), "protocol.yaml")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """The predictions table (contract 2)."""
        return read_predictions([self.folder / "predictions.csv"])

    @cached_property
    def evidence(self) -> dict[str, Any]:
        """The evidence: every estimate with its interval."""
        return dict(read_json(self.folder / "evidence.json", name="evidence"))

    @property
    def report(self) -> Path:
        """The report's page."""
        return self.folder / "report.html"

    def bundle(self, arm: str) -> "Predictor":
        """Load an arm's model.

        Raises
        ------
        InputError
            When the run has no such arm.
        """
        from isthmus.inference.predictor import load_bundle

        if arm not in self.protocol.arms:
            raise InputError(
                f"no arm is called {arm!r}", where=str(self.folder), expected=", ".join(self.protocol.arms)
            )
        return load_bundle(self.folder / "arms" / arm / "bundle")

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints with `--json`."""
        return {
            "run": str(self.folder),
            "report": str(self.report),
            "failed_fits": list(self.failed),
            "arms": {
                arm: {split: parts[split].get("auc") for split in parts} for arm, parts in self.evidence["arms"].items()
            },
            "comparisons": self.evidence["comparisons"],
        }

    def lines(self) -> list[str]:
        """Return what the command prints in words."""
        lines = []
        for arm, parts in self.evidence["arms"].items():
            for split, values in parts.items():
                auc = values.get("auc")
                if auc and auc["estimate"] is not None:
                    lines.append(
                        f"{self.protocol.arms[arm].title or arm}, {split}: "
                        f"AUC {auc['estimate']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})"
                    )
        if not self.protocol.claims:
            lines.append("SMOKE: every stage ran; no number means anything.")
        lines += [f"Failed: {sentence}" for sentence in self.failed]
        return [*lines, f"Report: {self.report}"]


def open_run(folder: Path | str) -> Run:
    """Open a finished run.

    Raises
    ------
    InputError
        When the folder is no run, or the run has not finished.
    """
    folder = Path(folder)
    if not (folder / "protocol.yaml").is_file():
        raise InputError("this is no run folder: it has no protocol.yaml", where=str(folder))
    if not (folder / "manifest.json").is_file():
        raise InputError("this run has not finished", where=str(folder), hint="isthmus run … --resume")
    return Run(folder)
