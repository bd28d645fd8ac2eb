"""Which network each arm of a run has, where it was chosen among several."""

from pathlib import Path
from typing import Final

from isthmus.files import read_json
from isthmus.protocol.schema import Protocol

FILE: Final = "candidates.json"


def chosen_networks(run_folder: Path, protocol: Protocol) -> Protocol:
    """Return the protocol with each arm's chosen network in its place, as a run's `candidates.json` says."""
    if not (run_folder / FILE).is_file():
        return protocol
    found = read_json(run_folder / FILE, name="candidates")["arms"]
    arms = {
        key: arm.variants()[found[key]["chosen"]] if key in found and arm.candidates else arm
        for key, arm in protocol.arms.items()
    }
    return protocol.model_copy(update={"arms": arms})
