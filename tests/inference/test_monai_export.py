"""A model that leaves as a MONAI bundle says there, without Isthmus, what it says here."""

import importlib.util
import json
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import isthmus
from isthmus.errors import BundleError
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from isthmus.inference.load import load_bundle
from isthmus.inference.monai_export import export_to_monai
from isthmus.inference.monai_network import WholeModel, example_pixels
from isthmus.models.bundle import write_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.bundle_spec import ClassCalibration as SaidOfClasses
from isthmus.models.descriptor_heads import create_classifier
from isthmus.statistics.class_calibration import ClassCalibration
from tests.inference.small_models import BOX, bundle, bundle_spec, picture

# What MONAI does with the folder, told as JSON: its own loader, its own parser of configurations, its own checks.
MONAI_ALONE = """
import json, sys, warnings
warnings.simplefilter("ignore")
sys.modules["isthmus"] = None  # importing it fails from here on
import monai.bundle as bundle
from monai.bundle import ConfigParser
folder, pictures, ignite = sys.argv[1:]
script, meta, _ = bundle.load("m", bundle_dir=folder + "/..", load_ts_module=True, device="cpu", source="monaihosting")
filled = bundle.load("m", bundle_dir=folder + "/..", workflow_type="inference", device="cpu", source="monaihosting")
parser = ConfigParser()
parser.read_config(folder + "/configs/inference.json")
parser.read_meta(folder + "/configs/metadata.json")
parser["bundle_root"], parser["dataset_dir"] = folder, pictures
found = {}
for one in parser.get_parsed_content("dataset"):
    name = one["image"].meta["filename_or_obj"].rpartition("/")[2]
    found[name] = [network(one["image"][None]).tolist()[0] for network in (script, filled)]
bundle.verify_net_in_out("network", folder + "/configs/metadata.json", folder + "/configs/inference.json",
    device="cpu", bundle_root=folder)
if ignite == "True":
    bundle.run(config_file=folder + "/configs/inference.json", meta_file=folder + "/configs/metadata.json",
        bundle_root=folder, dataset_dir=pictures)
print(json.dumps({"found": found, "name": meta["name"]}))
"""
WITH_IGNITE = importlib.util.find_spec("ignite") is not None


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("monai")
    model = bundle(place / "bundle")
    export_to_monai(model, place / "m")
    return model, place / "m"


def test_monai_without_isthmus_gives_the_same_calibrated_probabilities(exported, tmp_path):
    model, folder = exported
    predictor = load_bundle(model, "cpu")
    pictures, expected = tmp_path / "prepared", {}
    pictures.mkdir()
    for seed in range(2):
        source = picture(tmp_path / f"{seed}.png", seed)
        prepared = predictor.read(source, box=BOX).prepared
        Image.fromarray(prepared.pixels[0, :, :, 0]).save(pictures / f"{seed}.png")
        found = predictor.predict([source], boxes=[BOX])[0]
        expected[f"{seed}.png"] = list(found.calibrated_probabilities.values())
    arguments = [sys.executable, "-c", MONAI_ALONE, str(folder), str(pictures), str(WITH_IGNITE)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["name"] == "wang2025/resnet18"
    assert set(said["found"]) == set(expected)
    for name, (of_script, of_state) in said["found"].items():
        assert of_script == pytest.approx(expected[name], abs=1e-5)
        assert of_state == of_script
    assert abs(expected["0.png"][1] - expected["1.png"][1]) > 1e-3
    if WITH_IGNITE:
        rows = [line.split(",") for line in (folder / "eval" / "predictions.csv").read_text().splitlines()]
        assert [float(value) for row in sorted(rows) for value in row[1:]] == pytest.approx(
            [value for name in sorted(expected) for value in expected[name]], abs=1e-5
        )


def test_the_metadata_have_the_mandatory_keys_of_monais_specification(exported):
    # "metadata.json File" in MONAI's mb_specification.rst; required_packages_version is what optional_… is called now.
    metadata = json.loads((exported[1] / "configs" / "metadata.json").read_text())
    for name in ("version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version", "task",
                 "description", "authors", "copyright", "network_data_format"):  # fmt: skip
        assert metadata[name], name
    for tensor in (
        metadata["network_data_format"]["inputs"]["image"],
        metadata["network_data_format"]["outputs"]["pred"],
    ):
        assert set(tensor) == {
            "type", "format", "modality", "num_channels", "spatial_shape", "dtype", "value_range", "is_patch_data",
            "channel_def",
        }  # fmt: skip
    assert metadata["network_data_format"]["inputs"]["image"]["spatial_shape"] == [72, 72]
    assert list(metadata["network_data_format"]["outputs"]["pred"]["channel_def"].values()) == [
        "TI-RADS 2 or 3", "TI-RADS 4a or higher",
    ]  # fmt: skip


def test_licence_card_limits_and_an_example_to_check_by_go_along(exported):
    _, folder = exported
    assert "Research use only" in (folder / "LICENSE").read_text()
    readme = (folder / "docs" / "README.md").read_text()
    for words in ("Not for diagnosis", "## Limits", "Not carried", "localiser", "Research use only"):
        assert words in readme
    expected = json.loads((folder / "example" / "expected.json").read_text())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch calls its own format old
        script = torch.jit.load(folder / "models" / "model.ts")
    pixels = torch.from_numpy(np.array(Image.open(folder / "example" / "noise_1.png"))).float()[None, None]
    assert script(pixels)[0].tolist() == pytest.approx(expected["noise_1.png"], abs=1e-5)
    torch.load(folder / "models" / "model.pt", weights_only=True)


def test_no_file_of_it_names_a_folder_of_the_machine_that_made_it(exported):
    source = str(Path(isthmus.__file__).parent).encode()
    seen = 0
    for path in exported[1].rglob("*.*"):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as opened:
                contents = [opened.read(name) for name in opened.namelist()]
        else:
            contents = [path.read_bytes()] if path.is_file() else []
        seen += len(contents)
        assert not [content for content in contents if source in content or b"site-packages" in content], path.name
    assert seen > 100


CLIP = {"layout": "frames_as_channels", "frames": FrameSampling(count=3), "crop": "scan_area"}
BOTH = {"modalities": ["bmode", "swe"], "how": "branches"}
KINDS: dict[str, dict[str, Any]] = {
    "z": {"prepare": {"normalise": "z"}},
    "percentiles": {"prepare": {"normalise": "percentile_z"}},
    "colours, mirrored": {"prepare": {"normalise": "imagenet", "channels": "rgb"}, "flips": True},
    "frames as channels": {"prepare": {**CLIP, "normalise": "percentile_z"}},
    "frames one by one": {"prepare": {**CLIP, "layout": "2d"}, "frame_scores": "maximum"},
    "a volume": {"prepare": {**CLIP, "layout": "3d", "normalise": "z"}, "network": "resnet18_3d"},
    "a volume and its mask": {
        "prepare": {**CLIP, "layout": "3d"}, "network": "calcification_inception_resnet_v2_3d",
        "options": {"width": 8, "repeats": [1, 1, 1]},
    },
    "two modalities": {"join": BOTH},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_bundle_takes_the_one_graph_scores_it_as_the_predictor_does(kind, tmp_path):
    said = KINDS[kind]
    prepare = Preparation(**{"train_size": 41, "crop_size": 32, **said.get("prepare", {})})
    network = said.get("network", "resnet18")
    options = said.get("options", {"width": 8})
    spec = bundle_spec(
        network={"name": network, "options": options, "classes": 2, "channels": prepare.input_channels},
        prepare=prepare, flips=said.get("flips", False), frame_scores=said.get("frame_scores", "mean"),
    )  # fmt: skip
    fields = spec.model_dump() | {"parts": [{"log_prior_shift": [0.2, -0.1], "class_shares": [0.5, 0.5]}]}
    if "join" in said:
        fields |= {"join": said["join"], "requires": {"modalities": said["join"]["modalities"], "region": "box"}}
    spec = BundleSpec.model_validate(fields)
    torch.manual_seed(0)
    made = create_classifier(
        network, classes=2, channels=prepare.input_channels, options=options, descriptors=None, join=spec.join
    )
    write_bundle(tmp_path / "b", spec, [made.state_dict()])
    predictor = load_bundle(tmp_path / "b", "cpu")
    model = WholeModel(predictor.spec, predictor.parts).eval()
    given = example_pixels(model, 3, seed=1)
    if "join" in said:
        given[0, 1:] = 0.0  # the second modality is absent
    size, colours = prepare.train_size, prepare.colours
    pixels = given[:, : model.stored * colours].reshape(3, model.stored, colours, size, size).permute(0, 1, 3, 4, 2)
    masks = given[:, model.stored * colours :] > 0
    shown = masks.numpy() if masks.shape[1] else np.zeros((3, model.stored, size, size), bool)
    members = predictor.score_pixels(pixels.to(torch.uint8).numpy(), shown)
    with torch.no_grad():
        found = model(given).numpy()
    assert predictor.calibration is not None
    assert found[:, 1] == pytest.approx(predictor.calibration.apply(members.mean(axis=0)[:, 1]), abs=1e-5)
    assert found.sum(axis=1) == pytest.approx(np.ones(3))


def test_of_several_classes_the_calibration_is_the_predictors():
    said = {
        "kind": "classes",
        "slope": 1.3,
        "intercepts": [0.1, -0.2, 0.0],
        "method": "recalibration",
        "fitted_on": "x",
    }
    values = torch.tensor([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]], dtype=torch.float64)
    model = WholeModel.__new__(WholeModel)
    torch.nn.Module.__init__(model)
    model.calibration = SaidOfClasses.model_validate(said)
    expected = ClassCalibration.from_dict(said).apply(values.numpy())
    assert model._calibrated(values).numpy() == pytest.approx(expected, abs=1e-12)


def test_a_fused_bundle_is_refused_in_one_line(tmp_path):
    (tmp_path / "fused").mkdir()
    (tmp_path / "fused" / "bundle.yaml").write_text("format: isthmus-fused-bundle/1.2\n")
    with pytest.raises(BundleError, match="fitted heads") as refused:
        export_to_monai(tmp_path / "fused", tmp_path / "m")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "m").exists()
