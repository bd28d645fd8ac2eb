"""Which network each arm of a run has, where it was chosen among several."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from isthmus.files import read_json
from isthmus.protocol.schema import Protocol

FILE: Final = "candidates.json"


def chosen_networks(run_folder: Path, protocol: Protocol) -> Protocol:
    """Return the protocol of a finished run with what its `candidates.json` says was chosen."""
    if not (run_folder / FILE).is_file():
        return protocol
    return with_choice(protocol, read_json(run_folder / FILE, name="candidates"))


def with_choice(protocol: Protocol, evidence: Mapping[str, Any] | None) -> Protocol:
    """Return the protocol with each arm's chosen network, and each fusion's chosen classifier, as its only one."""
    chosen = {key: one["chosen"] for key, one in ({} if evidence is None else evidence["arms"]).items()}
    arms = {
        key: arm.variants()[chosen[key]].model_copy(update={"candidates": {chosen[key]: arm.candidates[chosen[key]]}})
        if key in chosen
        else arm
        for key, arm in protocol.arms.items()
    }
    fusions = {
        key: fusion.model_copy(update={"candidates": [chosen[key]]}) if key in chosen else fusion
        for key, fusion in protocol.fusions.items()
    }
    return protocol.model_copy(update={"arms": arms, "fusions": fusions})
