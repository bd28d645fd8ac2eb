"""The run folder: claimed for a run, and opened when it has finished (tables, evidence, models)."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from isthmus.errors import InputError, OutputError, did_you_mean
from isthmus.files import make_folder, read_json, read_yaml, refuse_existing, write_json, write_yaml
from isthmus.protocol.chosen import chosen_networks
from isthmus.protocol.fits import own_file
from isthmus.protocol.resolve import narrowed, validate
from isthmus.protocol.schema import Protocol
from isthmus.report.reading import ranking_measure
from isthmus.report.summary import evidence_lines
from isthmus.tables.predictions import read_predictions

if TYPE_CHECKING:
    from isthmus.inference.fused_predictor import FusedPredictor
    from isthmus.inference.predictor import Predictor

SEEDS: Final = "predictions_seeds.csv"
"""What the models of every seed say of the sets that were opened, in a run that opens them with every seed."""


@dataclass(frozen=True)
class Run:
    """A run folder.

    Parameters
    ----------
    folder : Path
        The folder that `isthmus run` left.
    """

    folder: Path

    @cached_property
    def protocol(self) -> Protocol:
        """The resolved protocol, as it was asked for."""
        return validate(read_yaml(self.folder / "protocol.yaml", name="protocol"), "protocol.yaml")

    @cached_property
    def chosen(self) -> Protocol:
        """The protocol whose arms have the networks that were chosen among their candidates."""
        return chosen_networks(self.folder, self.protocol)

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

    def bundle(self, arm: str) -> "Predictor | FusedPredictor":
        """Load the model of an arm or of a fusion.

        Raises
        ------
        InputError
            When the run has no such arm, or it is the clinical model, whose coefficients stand in `frozen.json`.
        """
        from isthmus.inference.any_bundle import load_bundle

        known = [*self.protocol.arms, *self.protocol.fusions]
        if arm not in known:
            raise InputError(
                f"{arm!r} has no bundle" if arm in self.protocol.names else f"no arm is called {arm!r}",
                where=str(self.folder),
                expected=", ".join(known),
                hint=None if arm in self.protocol.names else did_you_mean(arm, known),
            )
        return load_bundle(self.bundle_folder(arm), own_network=self.own_networks(arm))

    def bundle_folder(self, arm: str) -> Path:
        """Where the bundle of an arm or a fusion lies."""
        return self.folder / "arms" / arm / "bundle"

    def own_networks(self, arm: str) -> "Path | dict[str, Path] | None":
        """Return the file of an arm's network where it is the user's own; of a fusion those of its members."""
        if arm in self.protocol.arms:
            return own_file(self.chosen.arms[arm])
        members = {key: own_file(self.chosen.arms[key]) for key in self.protocol.fusions[arm].fuse}
        return {key: file for key, file in members.items() if file is not None}

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints with `--json`."""
        return {
            "run": str(self.folder),
            "report": str(self.report),
            "arms": {
                arm: {split: parts[split].get(ranking_measure(self.evidence)) for split in parts}
                for arm, parts in self.evidence["arms"].items()
            },
            "comparisons": self.evidence["comparisons"],
        }

    def lines(self) -> list[str]:
        """Return what the command prints in words."""
        lines = evidence_lines(self.evidence, {name: self.protocol.title_of(name) for name in self.protocol.names})
        if not self.protocol.claims:
            lines.append("SMOKE: every stage ran; no number means anything.")
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


def claim_folder(folder: Path, protocol: Protocol, cohort_fingerprint: str, resume: bool) -> None:
    """Make a run folder, or see that the one to go on with belongs to this protocol and cohort.

    Nothing of a run that is there is changed: see :func:`go_on`.

    Raises
    ------
    OutputError
        When the folder exists without `resume`, belongs to another protocol or cohort, or cannot be written.
    """
    cohort = {"format": "isthmus-cohort-used/1.0", "fingerprint": cohort_fingerprint}
    if not (folder / "protocol.yaml").exists():
        refuse_existing(folder)
        make_folder(folder)
        write_json(folder / "cohort_used.json", cohort)
        _keep_protocol(folder, protocol)
        return
    if not resume:
        raise OutputError(
            "this run folder exists", where=str(folder), hint="add --resume to go on with it, or choose another --out"
        )
    _check_protocol(folder, Run(folder).protocol, protocol)
    if read_json(folder / "cohort_used.json", name="cohort-used") != cohort:
        raise OutputError(
            "the cohort is not the one this run began with", where=str(folder), hint="choose another --out"
        )


def go_on(folder: Path, protocol: Protocol) -> None:
    """Open a claimed folder for more fits: it counts as unfinished, and arms that were added are its own from now on.

    To be called once nothing can refuse the fits any more: arms are never removed, so that a finished run whose
    addition is refused afterwards could neither be opened nor resumed as it was.
    """
    (folder / "manifest.json").unlink(missing_ok=True)
    if Run(folder).protocol != protocol:
        _keep_protocol(folder, protocol)


def _keep_protocol(folder: Path, protocol: Protocol) -> None:
    write_yaml(folder / "protocol.yaml", {**protocol.model_dump(mode="json"), "format": "isthmus-protocol/1.0"})


def _check_protocol(folder: Path, kept: Protocol, asked: Protocol) -> None:
    """Let arms be added to a run, and nothing else be changed."""
    shared = narrowed(kept, asked.names), narrowed(asked, kept.names)
    if shared[0] != shared[1]:
        changed = _first_difference(shared[0].model_dump(mode="json"), shared[1].model_dump(mode="json"))
        raise OutputError(
            f"this run folder belongs to another protocol: {changed}",
            where=str(folder),
            hint="repeat the first call's protocol, --profile and --set, or choose another --out",
        )
    gone = [arm for arm in kept.names if arm not in asked.names]
    if gone:
        raise OutputError(
            f"this run has arms that are not asked for now: {', '.join(gone)}; arms are added to a run, never removed",
            where=str(folder),
            hint="name them in --arms too, or choose another --out",
        )


def _first_difference(kept: Any, asked: Any, place: str = "") -> str:
    if isinstance(kept, dict) and isinstance(asked, dict):
        for key in [*kept, *asked]:
            if kept.get(key) != asked.get(key):
                return _first_difference(kept.get(key), asked.get(key), f"{place}.{key}" if place else str(key))
    return f"{place} is {kept!r} there and {asked!r} now"
