"""What is frozen beside the arms: the question, the cohort, and the rules by which anything was chosen."""

from typing import Any, Final

from isthmus.files import sha256_of_json
from isthmus.protocol.cases import Cases
from isthmus.protocol.schema import Protocol

_NO_RULES: Final[Any] = {
    "secondary": True,
    "arms": True,
    "fusions": True,
    "clinical": True,
    "explain": True,
    "leak": True,
    "shortcuts": True,
    "report": {"table1", "table1_mode"},
}
"""What of a protocol chooses no threshold and no calibrator."""


def frozen_facts(protocol: Protocol, cases: Cases) -> dict[str, Any]:
    """Return what `frozen.json` holds beside its arms."""
    return {
        "target": cases.target.name,
        "cohort": cases.cohort.fingerprint(),
        # The rules alone: an arm that is added changes nothing of what was chosen for the others.
        "rules": sha256_of_json(protocol.model_dump(mode="json", exclude=_NO_RULES)),
    }
