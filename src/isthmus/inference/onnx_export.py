"""A bundle's networks as ONNX: all fold networks in one graph, checked against PyTorch before it is kept."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from isthmus.errors import BundleError
from isthmus.files import write_bytes, writing
from isthmus.inference.engine_record import (
    FILE,
    MODEL,
    EnginesRecord,
    GraphFacts,
    network_sha256,
    read_record,
    write_record,
)
from isthmus.inference.onnx_graph import LARGEST_GRAPH, all_parts, refuse_more_than_arithmetic
from isthmus.models.bundle import load_parts, read_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle import is_fused_bundle, member_folder, read_fused_bundle

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor

    from isthmus.inference.exported_network import ExportedNetwork
    from isthmus.models.classifier import Classifier

TOLERANCE: Final = 1e-4
"""Of logits, embedding and descriptors against PyTorch, relative to their largest value where that is above 1."""

_PREFIX: Final = "network."
_CHECKED: Final = 3
"""Views that the graph is checked on; another number than it was exported with."""


def export_onnx(bundle: Path, *, own_networks: Any = None) -> dict[str, GraphFacts]:
    """Write ``model.onnx`` and ``engines.yaml`` into a bundle; of a fused one into each of its members.

    Parameters
    ----------
    bundle : Path
        The bundle. What it says of engines that were measured before is dropped where the graph changes.
    own_networks : Path or mapping, optional
        As for :func:`isthmus.inference.any_bundle.load_bundle`.

    Returns
    -------
    dict
        Member to its graph; of a bundle of one arm under ''.

    Raises
    ------
    BundleError
        When the bundle cannot be read, its network cannot be exported, or the graph differs from PyTorch.
    OutputError
        When nothing can be written into the bundle.
    """
    bundle = Path(bundle)
    if not is_fused_bundle(bundle):
        return {"": _export(bundle, own_networks)}
    found = {}
    for member in read_fused_bundle(bundle).members:
        arm = member.arm
        own = own_networks.get(arm) if isinstance(own_networks, dict) else own_networks
        found[arm] = _export(member_folder(bundle, arm), own)
    return found


def _export(folder: Path, own_network: Path | None) -> GraphFacts:
    spec = read_bundle(folder)
    parts = load_parts(folder, spec, own_network=own_network)
    content, facts = graph_of_parts(parts, spec)
    refuse_more_than_arithmetic(content, folder / MODEL)
    before = read_record_or_none(folder)
    if before is not None and before.graphs.get("fp32") == facts and (folder / MODEL).is_file():
        write_bytes(folder / MODEL, content)
        return facts
    # First the record, then the graph: whenever this is interrupted, no record speaks of another graph.
    with writing(folder):
        (folder / FILE).unlink(missing_ok=True)
    write_bytes(folder / MODEL, content)
    write_record(folder, EnginesRecord(network_sha256=network_sha256(spec), graphs={"fp32": facts}))
    return facts


def read_record_or_none(folder: Path) -> EnginesRecord | None:
    """Return the record of a bundle; None where it has none, or a damaged one, which is about to be replaced."""
    try:
        return read_record(folder)
    except BundleError:
        return None


def graph_of_parts(parts: "Sequence[Classifier]", spec: BundleSpec) -> tuple[bytes, GraphFacts]:
    """Return the ONNX file of a bundle's fold networks, and what is recorded of it.

    Raises
    ------
    BundleError
        When the network cannot be exported or the graph differs from PyTorch by more than :data:`TOLERANCE`.
    """
    from isthmus.inference.exported_network import EMBEDDING, ExportedNetwork, example

    modules = [ExportedNetwork(part.cpu().eval(), spec).eval() for part in parts]
    first = modules[0]
    template = _exported(first, example(parts[0], spec, 2), spec)
    weights = [
        {_PREFIX + name: value.numpy() for name, value in part.state_dict().items() if value.is_floating_point()}
        for part in parts
    ]
    whole = all_parts(template, weights, first.outputs)
    _say_what_it_is(whole, spec)
    if whole.ByteSize() > LARGEST_GRAPH:
        raise BundleError(f"the graph has {whole.ByteSize()} bytes", where=spec.name, expected=f"{LARGEST_GRAPH}")
    content = whole.SerializeToString(deterministic=True)
    given = example(parts[0], spec, _CHECKED, seed=1)
    expected = _by_torch(modules, given)
    found = _by_onnx(content, given, spec)
    largest = _largest_difference(found, expected)
    if not largest <= TOLERANCE:
        raise BundleError(
            f"the exported graph differs from PyTorch by {largest:.2g}", where=spec.name, expected=f"{TOLERANCE:g}"
        )
    facts = GraphFacts(
        file=MODEL,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        inputs={name: list(value.shape[1:]) for name, value in given.items()},
        parts=len(parts),
        classes=len(spec.classes),
        embedding=expected[EMBEDDING].shape[-1],
        outputs=list(first.outputs),
        largest_difference=float(f"{largest:.2g}"),
        opset=template.opset_import[0].version,
    )
    return content, facts


def _exported(module: "ExportedNetwork", given: "dict[str, Tensor]", spec: BundleSpec) -> "ModelProto":
    """Return the graph of one network, for any number of views."""
    import logging

    import torch

    from isthmus.inference.frame_scores import pictures_a_view

    views, frames = torch.export.Dim("views"), pictures_a_view(spec.prepare)
    pictures = views if frames == 1 else frames * views
    shapes = tuple({0: pictures if value.ndim > 2 else views} for value in given.values())
    exporter = logging.getLogger("torch.onnx")
    before = exporter.level
    exporter.setLevel(logging.ERROR)  # it warns of every package that it looks for in vain
    try:
        with warnings.catch_warnings():
            # torch 2.13's exporter calls parts of itself that it has deprecated.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                tuple(given.values()),
                dynamo=True,
                verbose=False,
                # The engines optimise for themselves; the names of the weights are kept that way.
                optimize=False,
                input_names=list(module.inputs),
                output_names=list(module.outputs),
                dynamic_shapes=(shapes,),
                custom_translation_table={torch.ops.aten.conv3d.default: _conv3d},
            )
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BundleError(f"this network cannot be exported: {reason}", where=spec.name) from error
    finally:
        exporter.setLevel(before)
    assert program is not None
    return program.model_proto


def _conv3d(
    maps: Any,
    weight: Any,
    bias: Any = None,
    stride: Sequence[int] = (1, 1, 1),
    padding: Sequence[int] = (0, 0, 0),
    dilation: Sequence[int] = (1, 1, 1),
    groups: int = 1,
) -> Any:
    # onnxscript 0.7.2 gives a convolution of clips without bias one of shape [D, 2], which ONNX Runtime refuses.
    from onnxscript import opset18

    given: dict[str, Any] = {
        "strides": list(stride), "pads": [*padding, *padding], "dilations": list(dilation), "group": groups,
    }  # fmt: skip
    return opset18.Conv(maps, weight, *(() if bias is None else (bias,)), **given)


def _say_what_it_is(model: "ModelProto", spec: BundleSpec) -> None:
    """Write into a graph whose it is and how its pictures are made ready."""
    from onnx import helper

    from isthmus.manifest import DISCLAIMER, version

    model.producer_name, model.producer_version = "isthmus", version()
    prepare = spec.prepare.model_dump_json(exclude_defaults=True)
    said = {
        "notice": " ".join([*spec.marks, DISCLAIMER]),
        "name": spec.name,
        "classes": ", ".join(f"{code}: {name}" for code, name in spec.classes.items()),
        "prepare": prepare,
        "outputs": "first axis: the fold networks; second: views",
        "network_sha256": network_sha256(spec),
    }
    helper.set_model_props(model, said)


def _by_torch(modules: "Sequence[ExportedNetwork]", given: "dict[str, Tensor]") -> dict[str, "np.ndarray[Any, Any]"]:
    import torch

    from isthmus.inference.scores import full_precision

    with torch.inference_mode(), full_precision("cpu"):
        found = [module(*given.values()) for module in modules]
    return {name: np.stack([one[place].numpy() for one in found]) for place, name in enumerate(modules[0].outputs)}


def _by_onnx(content: bytes, given: "dict[str, Tensor]", spec: BundleSpec) -> dict[str, "np.ndarray[Any, Any]"]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_outputs()]
        values = session.run(names, {name: value.numpy() for name, value in given.items()})
    except Exception as error:  # its errors have no common class
        reason = str(error).strip().splitlines()[0]
        raise BundleError(f"ONNX Runtime does not run the exported graph: {reason}", where=spec.name) from error
    return dict(zip(names, values, strict=True))


def _largest_difference(found: dict[str, "np.ndarray[Any, Any]"], expected: dict[str, "np.ndarray[Any, Any]"]) -> float:
    """Return the largest difference of any output, relative to its largest value; infinite where shapes differ."""
    largest = 0.0
    for name, value in expected.items():
        if found[name].shape != value.shape or not np.isfinite(found[name]).all():
            return float("inf")
        scale = max(1.0, float(np.abs(value).max()))
        largest = max(largest, float(np.abs(found[name] - value).max()) / scale)
    return largest
