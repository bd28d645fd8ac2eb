"""ONNX graphs: one of a fold network made into one of all fold networks, cleaned, and read under limits.

What the exporter leaves beside the arithmetic (the source lines and folders of the machine that exported) is taken off.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from isthmus.errors import BundleError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

LARGEST_GRAPH: Final = 2**31 - 1
"""Bytes: a protocol buffer holds no more, and nothing outside the file is read."""

_DOMAINS: Final = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Of operators: no library of anybody's own is loaded for a graph."""

_AGAIN: Final = "isthmus export BUNDLE --to onnx"


def all_parts(
    template: "ModelProto", parts: Sequence[Mapping[str, "np.ndarray[Any, Any]"]], outputs: Sequence[str]
) -> "ModelProto":
    """Return a graph that runs one network with the weights of several, and stacks what they say.

    Parameters
    ----------
    template : ModelProto
        Of one network, whose initializers have the names of its parameters.
    parts : sequence of P mappings
        Name to value, of every parameter that may differ.
    outputs : sequence of str
        Of the template; those of the result have the same names and a first axis of P.

    Raises
    ------
    BundleError
        When the exporter has renamed a parameter: the parts could not be told apart.
    """
    import onnx
    from onnx import helper, numpy_helper

    graph = template.graph
    named = {one.name for one in graph.initializer}
    lost = sorted(name for name in _different(parts) if name not in named)
    if lost:
        raise BundleError(f"the exported graph has no parameter {lost[0]}", expected="the network's own names")
    given = {one.name for one in graph.input} - named
    nodes: list[Any] = []
    values: list[Any] = []
    for number, weights in enumerate(parts):
        nodes += _renamed(graph, f"{number}/", given)
        for one in graph.initializer:
            own = weights.get(one.name)
            value = one if own is None else numpy_helper.from_array(np.ascontiguousarray(own))
            kept = onnx.TensorProto()
            kept.CopyFrom(value)
            kept.name = f"{number}/{one.name}"
            values.append(kept)
    values.append(numpy_helper.from_array(np.zeros(1, np.int64), "first"))
    for name in outputs:
        apart = [f"{number}/{name}/whole" for number in range(len(parts))]
        nodes += [
            helper.make_node("Unsqueeze", [f"{number}/{name}", "first"], [apart[number]], name=apart[number])
            for number in range(len(parts))
        ]
        nodes.append(helper.make_node("Concat", apart, [name], axis=0, name=name))
    shown = [_value_info(one) for one in graph.input if one.name in given]
    stacked = [_stacked(one, len(parts)) for one in graph.output]
    whole = helper.make_graph(nodes, "isthmus", shown, stacked, values)
    return helper.make_model(whole, opset_imports=list(template.opset_import), ir_version=template.ir_version)


def _different(parts: Sequence[Mapping[str, "np.ndarray[Any, Any]"]]) -> list[str]:
    """Return the names of parameters that are not the same in all parts."""
    first = parts[0]
    return [name for name in first if any(not np.array_equal(first[name], other[name]) for other in parts[1:])]


def _renamed(graph: "GraphProto", prefix: str, given: Iterable[str]) -> list[Any]:
    """Return a graph's operators under names of their own, without what the exporter says of their origin."""
    from onnx import AttributeProto, NodeProto

    kept = set(given)
    found = []
    for number, node in enumerate(graph.node):
        if any(one.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for one in node.attribute):
            raise BundleError(f"the network branches while it runs ({node.op_type})", expected="a plain graph")
        own = NodeProto(op_type=node.op_type, domain=node.domain, name=f"{prefix}{number}")
        own.input.extend(name if not name or name in kept else prefix + name for name in node.input)
        own.output.extend(name and prefix + name for name in node.output)
        own.attribute.extend(node.attribute)
        found.append(own)
    return found


def _value_info(one: Any) -> Any:
    from onnx import ValueInfoProto

    return ValueInfoProto(name=one.name, type=one.type)


def _stacked(one: Any, parts: int) -> Any:
    from onnx import helper

    tensor = one.type.tensor_type
    sizes = [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]
    return helper.make_tensor_value_info(one.name, tensor.elem_type, [parts, *sizes])


def read_graph(path: Path, sha256: str) -> bytes:
    """Read a graph of a bundle: of the recorded hash, of one file, of the operators of ONNX alone.

    Raises
    ------
    BundleError
        When the file is absent, too large, altered, foreign, or would read other files or load code.
    """
    content = read_bounded(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BundleError(
            "this graph was altered, damaged, or is of another bundle", where=str(path),
            expected=f"SHA-256 {sha256[:8]}…", hint=_AGAIN,
        )  # fmt: skip
    return content


def read_bounded(path: Path) -> bytes:
    """Return the bytes of a graph that is small enough to be read."""
    path = Path(path)
    if not path.is_file():
        raise BundleError("a graph is missing", where=str(path), hint=_AGAIN)
    size = path.stat().st_size
    if size > LARGEST_GRAPH:
        raise BundleError(f"it has {size} bytes", where=str(path), expected=f"at most {LARGEST_GRAPH}")
    return path.read_bytes()


def refuse_more_than_arithmetic(content: bytes, where: Path) -> None:
    """Refuse a graph that reads other files, or calls operators that ONNX does not have.

    Done before a graph is recorded; once it is, its hash says that it is the one that was looked through.

    Raises
    ------
    BundleError
        Naming what it holds.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own, which has no types
        raise BundleError("this is no ONNX graph", where=str(where), hint=_AGAIN) from error
    for one in _tensors(model.graph):
        if one.data_location == onnx.TensorProto.EXTERNAL or one.external_data:
            raise BundleError(f"{one.name!r} lies in another file", where=str(where), expected="all in one file")
    foreign = sorted({node.domain for node in model.graph.node} - set(_DOMAINS))
    if foreign:
        raise BundleError(f"operators of {foreign[0]!r}", where=str(where), expected="those of ONNX")
    if model.functions:
        raise BundleError(f"a function of its own, {model.functions[0].name}", where=str(where), expected="none")


def _tensors(graph: "GraphProto") -> Iterable[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)
            for inner in attribute.graphs:
                yield from _tensors(inner)
