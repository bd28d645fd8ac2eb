"""Export: a model for other programs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from isthmus.cli.app import JsonOption, app, show
from isthmus.cli.predict_options import BundleArgument, NetworkOption
from isthmus.errors import InputError


class Exported(NamedTuple):
    """What came out: for programs, and in words."""

    facts: dict[str, Any]
    lines: list[str]


def _to_onnx(bundle: Path, out: Path | None, networks: Any) -> Exported:
    from isthmus.inference.onnx_export import export_onnx

    if out is not None:
        raise InputError("--out is given, and an ONNX graph is written into the bundle itself", expected="no --out")
    found = export_onnx(bundle, own_networks=networks)
    lines = [
        f"{arm + ': ' if arm else ''}{one.file}, {one.parts} networks, {one.size / 1e6:.1f} MB; logits differ from "
        f"PyTorch by {one.largest_difference:.1g}"
        for arm, one in found.items()
    ]
    following = "Next: isthmus accelerate BUNDLE --cohort COHORT, which lets the model use it where it is faster"
    return Exported({arm or "model": one.model_dump(mode="json") for arm, one in found.items()}, [*lines, following])


def _to_monai(bundle: Path, out: Path | None, networks: Any) -> Exported:
    from isthmus.inference.monai_export import export_to_monai

    if out is None:
        raise InputError("a MONAI bundle is a folder of its own", expected="--out FOLDER")
    facts = export_to_monai(bundle, out, own_network=networks)
    return Exported(facts, [f"A MONAI bundle: {out}", f"What stays behind is named in {out / 'docs' / 'README.md'}"])


TARGETS: Final[Mapping[str, Callable[[Path, Path | None, Any], Exported]]] = {"onnx": _to_onnx, "monai": _to_monai}
"""What a model can be exported to: from the bundle, --out and the networks of the user's own."""


@app.command()
def export(
    bundle: BundleArgument,
    to: Annotated[str, typer.Option("--to", help=f"{' or '.join(TARGETS)}.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to make, for monai; onnx stays inside.")] = None,
    network: NetworkOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a model in a form that other programs run.

    onnx: `model.onnx` in the bundle (of a fused one in each member): all fold networks in one graph, their mirror
    images averaged, checked against PyTorch. From prepared pictures to logits, embedding and descriptors; its
    properties say how pictures are prepared. What turns logits into a calibrated answer stays in `bundle.yaml`.
    """
    from isthmus.explain.prediction_cases import own_networks_of

    if to not in TARGETS:
        raise InputError(f"unknown target {to!r}", where="--to", expected=" or ".join(TARGETS))
    done = TARGETS[to](bundle, out, own_networks_of(network or []))
    show(done.facts, as_json, done.lines)
