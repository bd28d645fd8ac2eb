"""A bundle as a MONAI bundle: a folder that MONAI itself, where Isthmus is not installed, loads and runs.

``models/model.ts`` is the whole model from prepared pixels to calibrated probabilities (:mod:`monai_network`);
``models/model.pt`` its state dictionary, which MONAI's specification asks for and loads with ``weights_only=True``.
What stays behind (finding scan area and lesion, preparing them, what an answer says besides) is named in its README.
"""

import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import BundleError
from isthmus.files import atomic_path, new_folder, refuse_existing, sha256_of_file, write_bytes, write_json, write_text
from isthmus.inference.monai_configs import fits_a_png, inference, metadata
from isthmus.inference.monai_network import WholeModel, example_pixels, traced
from isthmus.manifest import DISCLAIMER
from isthmus.models.bundle import load_parts, read_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle import is_fused_bundle

_EXAMPLES: Final = 2
_SOURCES: Final = ".debug_pkl"

_LEFT_BEHIND: Final = (
    "reading DICOM and video, and masking what names a patient",
    "finding the scan area, erasing scanner marks, and proposing a lesion's region (localiser)",
    "cutting and resizing the square that the network gets (the numbers are below)",
    "joining several views of a nodule and several nodules of a patient",
    "prediction sets, the band to refer, the warning of unusual pictures, descriptors, TI-RADS, heat maps",
)


def export_to_monai(
    bundle: Path, destination: Path, *, own_network: Path | Mapping[str, Path] | None = None
) -> dict[str, Any]:
    """Write a MONAI bundle of a bundle's model.

    Parameters
    ----------
    bundle : Path
        A bundle of one arm.
    destination : Path
        Folder to make.
    own_network : Path, optional
        The Python file of a network of the user's own; files for members are refused, as fused bundles are.

    Returns
    -------
    dict
        ``folder``, ``network``, ``parts``, ``input`` (shape without its batch), ``classes``, ``marks``, ``sha256`` (of
        ``models/model.ts``).

    Raises
    ------
    BundleError
        When the folder is no bundle, is altered, is a fused one, or its network cannot be written as TorchScript.
    OutputError
        When the destination exists or cannot be written.
    """
    bundle, destination = Path(bundle), Path(destination)
    refuse_existing(destination)
    if is_fused_bundle(bundle):
        raise BundleError(
            "a fused bundle joins pictures and columns of a table by fitted heads, and a MONAI bundle is one network",
            where=str(bundle),
            expected="a bundle of one arm",
            hint=f"isthmus bundle pack {bundle} FUSED.zip hands it on whole",
        )
    if isinstance(own_network, Mapping):
        raise BundleError("a file for each member was given, and the bundle is of one arm", expected="one file")
    spec = read_bundle(bundle)
    model = WholeModel(spec, load_parts(bundle, spec, own_network=own_network)).eval()
    with new_folder(destination) as folder:
        _write_models(folder, model, spec)
        write_json(folder / "configs" / "metadata.json", metadata(spec, model))
        write_json(folder / "configs" / "inference.json", inference(model))
        _write_examples(folder / "example", model)
        write_text(folder / "docs" / "README.md", _readme(spec, model, bundle))
        write_text(folder / "LICENSE", _licence(spec))
        sha256 = sha256_of_file(folder / "models" / "model.ts")
    size = spec.prepare.train_size
    return {
        "folder": str(destination),
        "network": spec.network.name,
        "parts": len(spec.parts),
        "input": [len(model.channels), size, size],
        "classes": dict(spec.classes),
        "marks": spec.marks,
        "sha256": sha256,
    }


def _write_models(folder: Path, model: WholeModel, spec: BundleSpec) -> None:
    import torch

    (folder / "models").mkdir()
    script = traced(model, spec.name)
    extra = {"metadata.json": json.dumps(metadata(spec, model)).encode()}  # where load_net_with_metadata looks
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch calls its own format old
        whole = io.BytesIO(script.save_to_buffer(_extra_files=extra))
    _write_without_sources(folder / "models" / "model.ts", whole)
    stream = io.BytesIO()
    torch.save(script.state_dict(), stream)
    write_bytes(folder / "models" / "model.pt", stream.getvalue())


def _write_without_sources(path: Path, script: io.BytesIO) -> None:
    """Write a TorchScript without the tables of where its lines come from: they name folders of this machine."""
    with (
        zipfile.ZipFile(script) as source,
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as target,
    ):
        for entry in source.infolist():
            if not entry.filename.endswith(_SOURCES):
                target.writestr(zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0)), source.read(entry))


def _write_examples(folder: Path, model: WholeModel) -> None:
    """Write pictures of noise and what the model says of them: a receiver sees whether it runs there as here."""
    import torch
    from PIL import Image

    folder.mkdir()
    pixels = example_pixels(model, _EXAMPLES)
    with torch.no_grad():
        found = model(pixels).double().numpy()
    expected: dict[str, list[float]] = {}
    for number, (one, row) in enumerate(zip(pixels.to(torch.uint8).numpy(), found, strict=True)):
        name = f"noise_{number}.{'png' if fits_a_png(model) else 'npy'}"
        _write_picture(folder / name, one, Image)
        expected[name] = [round(float(value), 7) for value in row]
    write_json(folder / "expected.json", {"what": "probabilities of pictures of noise; within 1e-5", **expected})


def _write_picture(path: Path, channels_first: NDArray[np.uint8], image: Any) -> None:
    if path.suffix == ".npy":
        np.save(path, channels_first)
    else:
        image.fromarray(channels_first[0] if len(channels_first) == 1 else np.moveaxis(channels_first, 0, 2)).save(path)


def _licence(spec: BundleSpec) -> str:
    return "\n".join(
        [
            f"Model: {spec.name}",
            f"Licence of the training data ({spec.cohort.name}): {spec.cohort.licence}",
            f"Licence of the initial weights ({spec.weights.origin}): {spec.weights.licence}",
            "The terms of both bind whoever uses or hands on this folder.",
            DISCLAIMER,
            "",
        ]
    )


def _readme(spec: BundleSpec, model: WholeModel, bundle: Path) -> str:
    card = (bundle / "card.md").read_text(encoding="utf-8") if (bundle / "card.md").is_file() else f"# {spec.name}\n"
    classes = ", ".join(f"{place}: {name}" for place, name in enumerate(spec.classes.values()))
    size = spec.prepare.train_size
    kind = "a PNG" if fits_a_png(model) else "a .npy file of whole numbers (uint8)"
    lines = [
        card.rstrip(),
        "",
        "## Running it with MONAI",
        "",
        f"`models/model.ts` takes float32 [N, {len(model.channels)}, {size}, {size}], 0 to 255, and gives [N, "
        f"{len(spec.classes)}] ({classes}). Channels: {'; '.join(model.channels)}. A picture is {kind}.",
        "",
        "```",
        "python -m monai.bundle run --config_file configs/inference.json --bundle_root . --dataset_dir example",
        "```",
        "",
        "needs `pytorch-ignite` and `fire` beside MONAI, and writes `eval/predictions.csv`; `example/expected.json`",
        "has the numbers to find there. It was tried on CPUs.",
        "",
        "Not carried; it is Isthmus's own:",
        "",
        *(f"- {one}" for one in _LEFT_BEHIND),
        "",
        "## The picture that goes in",
        "",
        *_preparation(spec.model_dump(mode="json")["prepare"]),
        "",
    ]
    return "\n".join(lines)


def _preparation(said: Mapping[str, Any]) -> list[str]:
    around = f"the lesion, {said['margin']:.0%} wider on each side" if said["crop"] == "lesion" else "the scan area"
    return [
        f"A square of whole source pixels around {around}; black outside the scan area; {said['channels']}; denoised "
        f"by `{said['denoise']}`; scanner marks: `{said['marks']}`; resized to {said['train_size']} pixels (OpenCV: "
        f"INTER_AREA to shrink, INTER_LINEAR to grow). The middle {said['crop_size']} pixels and normalisation "
        f"(`{said['normalise']}`) are in the model.",
        "",
        "`Predictor.read(path, box=…).prepared.pixels` of Isthmus gives exactly these pixels.",
    ]
