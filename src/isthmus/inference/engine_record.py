"""What a bundle says of its exported graphs and of the engines that may run them: the content of ``engines.yaml``."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isthmus.errors import BundleError, InputError
from isthmus.files import read_yaml, sha256_of_json, write_yaml
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle_spec import FusedBundleSpec

FORMAT: Final = "isthmus-engines/1.0"
FILE: Final = "engines.yaml"
MODEL: Final = "model.onnx"
MODEL_INT8: Final = "model-int8.onnx"
_LARGEST: Final = 4 * 1024**2

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Numbers = Literal["fp32", "int8"]


class Facts(BaseModel):
    """What is recorded: it does not change once read."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class GraphFacts(Facts):
    """An exported graph.

    Parameters
    ----------
    file, sha256, size
        Where it lies in the bundle, and what it is.
    inputs : dict
        Name to shape of one view's, in the graph's order.
    parts, classes, embedding : int
        How many fold networks run in it, of how many classes, and the width of what their last layers see.
    outputs : list of str
        Names; each has a first axis of ``parts`` and a second of views.
    largest_difference : float
        Between its logits and PyTorch's, relative to the largest logit where that is above 1.
    opset : int
        Of ONNX.
    how : str
        Of a quantised graph: by what method and on how many pictures.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9_.-]+\.onnx$")
    sha256: Sha256
    size: int = Field(ge=1)
    inputs: dict[str, list[int]]
    parts: int = Field(ge=1)
    classes: int = Field(ge=2)
    embedding: int = Field(ge=1)
    outputs: list[str]
    largest_difference: Finite
    opset: int
    how: str = ""


class Machine(Facts):
    """A kind of machine, by which nobody can tell whose it is."""

    processor: str
    instructions: list[str]
    threads: int


class Times(Facts):
    """Milliseconds on a machine, medians: of one view, and of each of a batch of ``views``."""

    one: Finite
    each_of_batch: Finite
    views: int


class Verdict(Facts):
    """What became of an engine at the gate.

    Parameters
    ----------
    passed : {'reference', 'exact', 'gated', 'none'}
        Which gate it passed; PyTorch is the reference.
    largest_difference : float
        Of a probability of any part, of their mean or of a calibrated probability, to PyTorch's.
    auc, auc_reference : float or None
        Of the model's own answers, and of answers by the parts that had not seen the patient where that is known.
    auc_loss : float or None
        The larger of both losses.
    calls_changed, warnings_changed : int
        Cases whose call, or whose warning of being unlike the training pictures, differs from PyTorch's.
    reason : str
        Why it passed no gate.
    """

    passed: Literal["reference", "exact", "gated", "none"]
    largest_difference: Finite
    auc_loss: Finite | None = None
    calls_changed: int = 0
    warnings_changed: int = 0
    reason: str = ""


class Trial(Facts):
    """One engine: its verdict, its times, and what it says of the pictures that any machine can make."""

    verdict: Verdict
    times: Times
    probes: dict[str, list[Finite]] = {}
    library: str = ""


class Tuning(Facts):
    """The cases that the gate was held on."""

    cohort: str
    fingerprint: str
    cases: int
    views: int
    positive: int | None = None
    held_out: bool
    parts: str


class Measured(Facts):
    """A trial of the engines."""

    answers_sha256: Sha256
    tuning: Tuning
    machine: Machine
    engines: dict[str, Trial]
    choice: str
    why: str


class EnginesRecord(Facts):
    """The content of ``engines.yaml``.

    Parameters
    ----------
    network_sha256 : str
        Of what the graphs were made from; '' for a fused bundle, whose members have graphs of their own.
    graphs : dict
        By the numbers they compute with.
    measured : Measured, optional
        The trial, once there was one.
    """

    format: str = Field(FORMAT, pattern=r"^isthmus-engines/\d+\.\d+$")
    network_sha256: str = ""
    graphs: dict[Numbers, GraphFacts] = {}
    measured: Measured | None = None


def read_record(folder: Path) -> EnginesRecord | None:
    """Read ``engines.yaml`` of a bundle; None where it has none.

    Raises
    ------
    BundleError
        When it is damaged or of a newer major version.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    if path.stat().st_size > _LARGEST:
        raise BundleError(f"{FILE} has {path.stat().st_size} bytes", where=str(path), expected="a few thousand")
    try:
        return EnginesRecord.model_validate(read_yaml(path, name="engines"))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise BundleError(f"{FILE} is not valid: {faults}", where=str(path), hint="isthmus accelerate") from error
    except InputError as error:
        raise BundleError(error.what, where=error.where, expected=error.expected, hint=error.hint) from error


def write_record(folder: Path, record: EnginesRecord) -> None:
    """Write ``engines.yaml`` atomically."""
    write_yaml(Path(folder) / FILE, {"format": record.format, **record.model_dump(mode="json", exclude_defaults=True)})


def network_sha256(spec: BundleSpec) -> str:
    """Return a hash of what a graph is made from: the network, its weights and what scoring does around it."""
    return sha256_of_json(
        {
            "network": spec.network.model_dump(mode="json"),
            "parts": [part.sha256 for part in spec.parts],
            "prepare": spec.prepare.model_dump(mode="json", exclude_defaults=True),
            "descriptors": None if spec.descriptors is None else spec.descriptors.model_dump(mode="json"),
            "join": None if spec.join is None else spec.join.model_dump(mode="json"),
            "scoring": [spec.flips, spec.frame_scores],
        }
    )


def answers_sha256(spec: BundleSpec | FusedBundleSpec, members: dict[str, BundleSpec]) -> str:
    """Return a hash of what turns a network's logits into calls: a gate holds for these only."""
    said: dict[str, Any] = {
        "calibration": None if spec.calibration is None else spec.calibration.model_dump(mode="json"),
        "thresholds": None if spec.thresholds is None else spec.thresholds.model_dump(mode="json"),
        "aggregation": dict(spec.aggregation),
        "networks": {arm: network_sha256(one) for arm, one in members.items()},
        "shifts": {arm: [part.log_prior_shift for part in one.parts] for arm, one in members.items()},
    }
    if isinstance(spec, FusedBundleSpec):
        said["heads"] = [head.sha256 for head in spec.heads]
    elif spec.out_of_distribution is not None:
        said["likeness"] = spec.out_of_distribution.sha256
    return sha256_of_json(said)
