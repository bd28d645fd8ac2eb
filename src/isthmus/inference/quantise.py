"""A graph in whole numbers of 8 bits: post-training quantisation of the weights, and of the maps by what pictures give.

ONNX Runtime's static quantisation writes it (quantise and dequantise pairs), OpenVINO runs it. Only what goes *into* a
convolution is turned into whole numbers: OpenVINO then joins the convolution with the addition and the cut at zero that
follow it. Pairs behind the convolutions as well, which ONNX Runtime needs, break that apart and take a quarter longer.
The last layers, which decide, stay as they were; so may the first, whose errors all others pass on.
"""

import hashlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from isthmus.errors import BundleError
from isthmus.inference.engine_record import MODEL_INT8, GraphFacts

if TYPE_CHECKING:
    from onnx import ModelProto

    from isthmus.inference.network_inputs import Float32

PICTURES: Final = 64
"""Views that the ranges of the maps are taken from."""

LEFT_OUT: Final = (0.0, 0.25, 0.5, 0.75)
"""Shares of each network's convolutions, from its first on, that are left as they were: tried in turn."""


def quantised(
    content: bytes, facts: GraphFacts, calibration: "Sequence[dict[str, Float32]]", left_out: float = 0.0
) -> tuple[bytes, GraphFacts]:
    """Return a graph in whole numbers, and what is recorded of it.

    Parameters
    ----------
    content : bytes
        The exported graph.
    facts : GraphFacts
        What is recorded of that.
    calibration : sequence of dict
        Inputs of the network, of pictures like those that it will see.
    left_out : float
        Share of each network's convolutions, from the first on, that stay as they are.

    Raises
    ------
    BundleError
        When ONNX Runtime cannot quantise the graph.
    """
    import onnx
    import onnxruntime
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    said = logging.getLogger().level
    with tempfile.TemporaryDirectory() as folder:
        plain, folded, whole = (Path(folder) / name for name in ("plain.onnx", "folded.onnx", "int8.onnx"))
        plain.write_bytes(content)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Batch norm goes into the convolutions before ranges are taken.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(folded)
        try:
            logging.getLogger().setLevel(logging.ERROR)
            onnxruntime.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
            quantize_static(
                str(folded),
                str(whole),
                _Reader(calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=_first_convolutions(onnx.load_model(folded), left_out),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={"OpTypesToExcludeOutputQuantization": ["Conv"]},
            )
        except Exception as error:  # its errors have no common class
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise BundleError(f"the graph cannot be quantised: {reason}", where=facts.file) from error
        finally:
            logging.getLogger().setLevel(said)
        found = whole.read_bytes()
    views = sum(len(next(iter(one.values()))) for one in calibration)
    told = facts.model_copy(
        update={
            "file": MODEL_INT8,
            "sha256": hashlib.sha256(found).hexdigest(),
            "size": len(found),
            "how": f"static, weights by channel, ranges of {views} pictures, {left_out:.0%} of the convolutions "
            f"left out (ONNX Runtime {onnxruntime.__version__})",
        }
    )
    return found, told


def _first_convolutions(model: "ModelProto", share: float) -> list[str]:
    """Return the names of a share of each network's convolutions, the first ones."""
    networks: dict[str, list[str]] = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            networks.setdefault(node.name.partition("/")[0], []).append(node.name)
    return [name for names in networks.values() for name in names[: round(share * len(names))]]


class _Reader:
    """Hands ONNX Runtime the pictures, one block after the other."""

    def __init__(self, blocks: "Sequence[dict[str, Float32]]") -> None:
        self._left: Iterator[dict[str, np.ndarray[Any, Any]]] = iter(blocks)

    def get_next(self) -> "dict[str, np.ndarray[Any, Any]] | None":
        """Return the next inputs; None after the last."""
        return next(self._left, None)
