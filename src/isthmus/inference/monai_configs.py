"""The two configurations of a MONAI bundle: what its model is, and the workflow that reads, scores and writes."""

from typing import Any, Final

from isthmus.inference.monai_network import WholeModel
from isthmus.manifest import DISCLAIMER, package_versions, version
from isthmus.models.bundle_spec import BundleSpec

SCHEMA: Final = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
)
_MONAI_TOOLS: Final = {"pytorch-ignite": "0.4.11", "fire": "0.5.0"}
"""What `python -m monai.bundle run` needs beside MONAI; loading the model needs neither."""


def metadata(spec: BundleSpec, model: WholeModel) -> dict[str, Any]:
    """Return ``configs/metadata.json``: what MONAI's bundle specification asks for, and what the bundle says."""
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


def fits_a_png(model: WholeModel) -> bool:
    """Whether a picture's channels fit into a PNG: others come as .npy [channels, S, S]."""
    return model.channels in (["grey"], ["red", "green", "blue"])


def _reader(model: WholeModel) -> dict[str, Any]:
    if not fits_a_png(model):
        return {"_target_": "NumpyReader", "channel_dim": 0}
    mode = "L" if len(model.channels) == 1 else "RGB"
    return {
        "_target_": "PILReader",
        "reverse_indexing": False,  # rows stay rows
        "converter": f"$lambda image: image.convert('{mode}')",
    }


def inference(model: WholeModel) -> dict[str, Any]:
    """Return ``configs/inference.json``: the workflow from prepared pictures to a table of probabilities."""
    suffix = "png" if fits_a_png(model) else "npy"
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
