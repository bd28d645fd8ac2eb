"""A bundle as a MONAI bundle: a folder that MONAI itself, where Isthmus is not installed, loads and runs.

``models/model.ts`` is the whole model from prepared pixels to calibrated probabilities (:mod:`monai_network`);
``models/model.pt`` its state dictionary, which MONAI's specification asks for and loads with ``weights_only=True``.
What stays behind (finding scan area and lesion, preparing them, what an answer says besides) is named in its README.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import BundleError
from isthmus.files import new_folder, refuse_existing, sha256_of_file, write_bytes, write_json, write_text
from isthmus.inference.monai_network import WholeModel, example_pixels, traced
from isthmus.manifest import DISCLAIMER, package_versions, version
from isthmus.models.bundle import load_parts, read_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle import is_fused_bundle

SCHEMA: Final = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
)
_EXAMPLES: Final = 2
_MONAI_TOOLS: Final = {"pytorch-ignite": "0.4.11", "fire": "0.5.0"}
"""What `python -m monai.bundle run` needs beside MONAI; loading the model needs neither."""

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
        write_json(folder / "configs" / "metadata.json", _metadata(spec, model))
        write_json(folder / "configs" / "inference.json", _inference(model))
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
    import io

    import torch

    (folder / "models").mkdir()
    script = traced(model, spec.name)
    extra = {"metadata.json": json.dumps(_metadata(spec, model)).encode()}  # where load_net_with_metadata looks
    script.save(str(folder / "models" / "model.ts"), _extra_files=extra)
    stream = io.BytesIO()
    torch.save(script.state_dict(), stream)
    write_bytes(folder / "models" / "model.pt", stream.getvalue())


def _metadata(spec: BundleSpec, model: WholeModel) -> dict[str, Any]:
    size, found = spec.prepare.train_size, package_versions(("monai", "torch", "numpy"))
    names = ", ".join(spec.classes.values())
    calibrated = "calibrated probabilities" if spec.calibration is not None else "uncalibrated probabilities"
    pixels = {
        "type": "image",
        "format": "magnitude",
        "modality": "US",
        "num_channels": len(model.channels),
        "spatial_shape": [size, size],
        "dtype": "float32",
        "value_range": [0, 255],
        "is_patch_data": False,
        "channel_def": {str(place): name for place, name in enumerate(model.channels)},
    }
    scores = {
        "type": "probabilities",
        "format": "classes",
        "modality": "n/a",
        "num_channels": len(spec.classes),
        "spatial_shape": [1],
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": {str(place): name for place, name in enumerate(spec.classes.values())},
    }
    return {
        "schema": SCHEMA,
        "version": "1.0.0",
        "changelog": {"1.0.0": f"exported by Isthmus {version()}"},
        "monai_version": found["monai"],
        "pytorch_version": found["torch"].partition("+")[0],
        "numpy_version": found["numpy"],
        "required_packages_version": {**package_versions(("pillow",)), **_MONAI_TOOLS},
        "supported_apps": {},
        "name": spec.name,
        "task": " ".join([*spec.marks, f"research on {spec.target} from thyroid ultrasound"]),
        "description": f"{len(spec.parts)} fold model(s) of {spec.network.name}, averaged; {calibrated} of {names}. "
        f"{DISCLAIMER}",
        "authors": "not stated",
        "copyright": "see LICENSE",
        "data_source": f"{spec.cohort.name} (fingerprint {spec.cohort.fingerprint[:12]})",
        "data_type": "prepared ultrasound pictures",
        "image_classes": f"{len(model.channels)} channel(s), whole numbers of 0 to 255",
        "label_classes": f"reference: {spec.cohort.reference}",
        "pred_classes": f"{len(spec.classes)} {calibrated}: {names}",
        "intended_use": f"Research use only, not for diagnosis. {DISCLAIMER}",
        "references": [],
        "network_data_format": {"inputs": {"image": pixels}, "outputs": {"pred": scores}},
        "isthmus": {
            name: value
            for name, value in spec.model_dump(mode="json").items()
            if name in ("format", "target", "unit", "classes", "requires", "prepare", "thresholds", "cohort", "weights")
        },
    }


def _as_files(model: WholeModel) -> bool:
    """Whether a picture's channels fit into a PNG: others come as .npy [channels, S, S]."""
    return model.channels in (["grey"], ["red", "green", "blue"])


def _reader(model: WholeModel) -> dict[str, Any]:
    if not _as_files(model):
        return {"_target_": "NumpyReader", "channel_dim": 0}
    mode = "L" if len(model.channels) == 1 else "RGB"
    return {
        "_target_": "PILReader",
        "reverse_indexing": False,  # rows stay rows
        "converter": f"$lambda image: image.convert('{mode}')",
    }


def _inference(model: WholeModel) -> dict[str, Any]:
    suffix = "png" if _as_files(model) else "npy"
    load = {"_target_": "LoadImaged", "keys": "image", "reader": "@reader", "ensure_channel_first": True}
    return {
        "imports": ["$import glob", "$import os", "$import torch"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/example'",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cpu')",
        "pictures": f"$sorted(glob.glob(os.path.join(@dataset_dir, '*.{suffix}')))",
        "network_def": {
            "_target_": "torch.jit.load",
            "f": "$@bundle_root + '/models/model.ts'",
            "map_location": "@device",
        },
        "network": "$@network_def.to(@device)",
        "reader": _reader(model),
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [load, {"_target_": "EnsureTyped", "keys": "image", "dtype": "$torch.float32"}],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': path} for path in @pictures]",
            "transform": "@preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                # The row's name is the picture's, which a TorchScript's answer does not carry along.
                {"_target_": "Lambda", "func": "$lambda data: {**data, 'image_meta_dict': data['image'].meta}"},
                {
                    "_target_": "SaveClassificationd",
                    "keys": "pred",
                    "meta_keys": "image_meta_dict",
                    "output_dir": "@output_dir",
                    "filename": "predictions.csv",
                },
            ],
        },
        "handlers": [],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }


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
        name = f"noise_{number}.{'png' if _as_files(model) else 'npy'}"
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
    kind = "a PNG" if _as_files(model) else "a .npy file of whole numbers (uint8)"
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
