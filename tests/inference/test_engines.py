"""A bundle's networks as ONNX: what ONNX Runtime and OpenVINO say is what PyTorch says; altered ones are refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isthmus.errors import BundleError, InputError
from isthmus.files import sha256_of_file
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from isthmus.inference import onnx_export
from isthmus.inference.engine_choice import choose_engine, probes_of, said_of_probes
from isthmus.inference.engine_record import (
    EnginesRecord,
    Machine,
    Measured,
    Times,
    Trial,
    Tuning,
    Verdict,
    answers_sha256,
    read_record,
    write_record,
)
from isthmus.inference.engines import TORCH, open_engine
from isthmus.inference.load import load_bundle
from isthmus.inference.onnx_export import export_onnx, graph_of_parts
from isthmus.inference.onnx_graph import refuse_more_than_arithmetic
from isthmus.inference.predictor import Predictor
from isthmus.models.bundle import load_parts, read_bundle, write_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.descriptor_heads import create_classifier
from tests.inference.small_models import BOX, bundle, bundle_spec, picture

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")


TEMPLATES: dict[str, Any] = {}
"""What PyTorch's exporter made of a network: it takes seconds, and is not what the tests below are about."""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = bundle(tmp_path_factory.mktemp("exported") / "bundle", flips=True)
    plain = onnx_export._exported
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_export, "_exported", lambda *given: TEMPLATES.setdefault("stills", plain(*given)))
        export_onnx(folder)
    return folder


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may change."""
    import shutil

    return Path(shutil.copytree(exported, tmp_path / "bundle"))


def compared(spec: BundleSpec, reference: Predictor, name: str, place: Path) -> None:
    """Compare an engine with PyTorch on pictures of noise: logits, embeddings, descriptors of each part."""
    pixels, masks = probes_of(spec)
    expected = reference.runs.view_scores(pixels, masks)
    found = open_engine(place, spec, name).view_scores(pixels, masks)
    assert len(found) == len(expected) == len(spec.parts)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.logits, other.logits, atol=1e-4)
        np.testing.assert_allclose(one.embeddings, other.embeddings, atol=1e-4)
        assert set(one.descriptors) == set(other.descriptors)
        for head, value in other.descriptors.items():
            np.testing.assert_allclose(one.descriptors[head], value, atol=1e-4)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_stills_with_mirror_images_are_scored_as_by_pytorch(exported: Path, name: str) -> None:
    pytest.importorskip(name)
    compared(read_bundle(exported), load_bundle(exported, "cpu", engine=TORCH), name, exported)


def test_onnx_runtime_alone_reads_the_file_and_finds_what_it_needs_in_it(exported: Path) -> None:
    session = onnxruntime.InferenceSession(exported / "model.onnx", providers=["CPUExecutionProvider"])
    pixels, _ = probes_of(read_bundle(exported))
    # By hand, as somebody without Isthmus would: the middle, divided by 255.
    image = pixels[:, 0, 4:68, 4:68].transpose(0, 3, 1, 2).astype(np.float32) / 255
    logits, embedding = session.run(["logits", "embedding"], {"image": image})
    with torch.no_grad():
        for part, network in enumerate(load_parts(exported, read_bundle(exported))):
            both = [
                network({"image": torch.from_numpy(np.ascontiguousarray(one))}) for one in (image, image[..., ::-1])
            ]
            np.testing.assert_allclose(logits[part], (both[0].logits + both[1].logits).numpy() / 2, atol=1e-5)
            np.testing.assert_allclose(embedding[part], (both[0].embedding + both[1].embedding).numpy() / 2, atol=1e-5)
    said = session.get_modelmeta().custom_metadata_map
    assert said["name"] == "wang2025/resnet18"
    assert "Research use only" in said["notice"]


def test_a_graph_tells_nothing_of_the_machine_that_made_it(exported: Path) -> None:
    content = (exported / "model.onnx").read_bytes()
    for secret in (str(Path(__file__).parents[2]), str(Path.home()), sys.prefix, "site-packages", ".py"):
        assert secret.encode() not in content


def test_frames_of_a_clip_and_descriptors_come_out_of_the_graph(tmp_path: Path) -> None:
    descriptors: dict[str, Any] = {"heads": {"margin": ["smooth", "irregular"]}, "feed": True}
    spec = bundle_spec(
        requires={"modalities": ["cine"], "region": "none"},
        prepare=Preparation(crop="scan_area", train_size=40, crop_size=32, frames=FrameSampling(count=3)),
        frame_scores="maximum", descriptors=descriptors,
    )  # fmt: skip
    written(tmp_path / "bundle", spec)
    export_onnx(tmp_path / "bundle")
    spec = read_bundle(tmp_path / "bundle")
    compared(spec, load_bundle(tmp_path / "bundle", "cpu", engine=TORCH), "onnxruntime", tmp_path / "bundle")


def test_each_subset_of_modalities_is_scored_as_by_pytorch(tmp_path: Path) -> None:
    names = ["bmode", "swe"]
    plain = bundle_spec(requires={"modalities": names, "region": "box"})
    shares = [{"log_prior_shift": [0.2, -0.2], "class_shares": [0.5, 0.5]}] * 2
    spec = BundleSpec.model_validate(
        {**plain.model_dump(), "join": {"modalities": names, "how": "pooled"}, "parts": shares}
    )
    written(tmp_path / "bundle", spec)
    export_onnx(tmp_path / "bundle")
    reference = load_bundle(tmp_path / "bundle", "cpu", engine=TORCH)
    compared(reference.spec, reference, "onnxruntime", tmp_path / "bundle")
    pixels, _ = probes_of(reference.spec)
    found = open_engine(tmp_path / "bundle", reference.spec, "onnxruntime").subset_logits(pixels)
    for one, other in zip(found, reference.runs.subset_logits(pixels), strict=True):
        assert one.shape == other.shape == (4, 2, 2)
        np.testing.assert_allclose(one, other, atol=1e-4)  # NaN where nothing is left, in both


def written(folder: Path, spec: BundleSpec) -> None:
    states = []
    for part in range(len(spec.parts)):
        torch.manual_seed(part)
        network = create_classifier(
            "resnet18", classes=2, channels=1, options={"width": 8}, descriptors=spec.descriptors, join=spec.join
        )
        states.append(network.state_dict())
    write_bundle(folder, spec, states)


def test_a_graph_that_differs_from_pytorch_is_not_kept(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = onnx_export._by_torch
    monkeypatch.setattr(onnx_export, "_exported", lambda *given: TEMPLATES["stills"])
    spec = read_bundle(exported)
    assert graph_of_parts(load_parts(exported, spec), spec)[1].largest_difference < 1e-5
    monkeypatch.setattr(
        onnx_export, "_by_torch", lambda *given: {name: value * 1.0003 for name, value in plain(*given).items()}
    )
    with pytest.raises(BundleError, match="differs from PyTorch by"):
        graph_of_parts(load_parts(exported, spec), spec)


@pytest.mark.parametrize("fault", ["a byte", "cut", "of another bundle"])
def test_a_damaged_or_foreign_graph_is_refused(folder: Path, tmp_path: Path, fault: str) -> None:
    graph, spec = folder / "model.onnx", read_bundle(folder)
    content = bytearray(graph.read_bytes())
    if fault == "a byte":
        content[len(content) // 2] ^= 1
    elif fault == "cut":
        del content[len(content) // 2 :]
    if fault == "of another bundle":
        other = bundle(tmp_path / "other", flips=False)
        for name in ("model.onnx", "engines.yaml"):
            (other / name).write_bytes((folder / name).read_bytes())
        folder, spec, expected = other, read_bundle(other), "made from another network than bundle.yaml says"
    else:
        graph.write_bytes(bytes(content))
        expected = "altered, damaged, or is of another bundle"
    with pytest.raises(BundleError, match=expected):
        open_engine(folder, spec, "onnxruntime")


def test_a_graph_that_would_read_other_files_or_load_code_is_refused(exported: Path) -> None:
    import onnx

    model = onnx.load(exported / "model.onnx")
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    with pytest.raises(BundleError, match="lies in another file"):
        refuse_more_than_arithmetic(model.SerializeToString(), exported)
    model = onnx.load(exported / "model.onnx")
    model.graph.node[0].domain = "my.own"
    with pytest.raises(BundleError, match=r"operators of 'my\.own'"):
        refuse_more_than_arithmetic(model.SerializeToString(), exported)
    with pytest.raises(BundleError, match="no ONNX graph"):
        refuse_more_than_arithmetic(b"\xff\xff not a graph", exported)


def test_an_unknown_engine_and_a_bundle_without_graph_are_refused(tmp_path: Path) -> None:
    plain = bundle(tmp_path / "plain")
    with pytest.raises(InputError, match=r"unknown engine 'openvin'.*did you mean 'openvino'"):
        load_bundle(plain, "cpu", engine="openvin")
    with pytest.raises(BundleError, match="no graph for openvino"):
        load_bundle(plain, "cpu", engine="openvino")
    assert load_bundle(plain, "cpu").runs.name == TORCH


def test_predict_by_an_engine_is_predict_and_pytorch_stays_unloaded(exported: Path, tmp_path: Path) -> None:
    still = picture(tmp_path / "a.png")
    (expected,) = load_bundle(exported, "cpu", engine=TORCH).predict([still], boxes=[BOX])
    fast = load_bundle(exported, "cpu", engine="onnxruntime")
    (found,) = fast.predict([still], boxes=[BOX])
    assert found.probability == pytest.approx(expected.probability, abs=1e-5)
    assert found.member_range == pytest.approx(expected.member_range, abs=1e-5)
    assert replace(found, probability=0, member_range=(), probabilities={}, calibrated_probabilities={}) == replace(
        expected, probability=0, member_range=(), probabilities={}, calibrated_probabilities={}
    )
    assert len(fast.parts) == 2  # loaded now, for heat maps
    script = (
        "import sys; from isthmus.inference.load import load_bundle; "
        f"p = load_bundle({str(exported)!r}, engine='onnxruntime'); "
        f"print(p.predict([{str(still)!r}], boxes=[{BOX!r}])[0].probability, 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert float(said[0]) == pytest.approx(expected.probability, abs=1e-5)
    assert said[1] == "False"


def test_openvino_sends_nothing_where_its_plain_import_would() -> None:
    pytest.importorskip("openvino_telemetry")
    script = """
import sys
seen = []
sys.addaudithook(lambda event, given: seen.append(event) if event in ("os.fork", "socket.connect", "socket.getaddrinfo",
                 "subprocess.Popen", "os.posix_spawn") else None)
from isthmus.inference.openvino_runtime import openvino_runtime
openvino_runtime().Core()
print(seen, [name for name, one in sys.modules.items() if "telemetry" in name and one is not None])
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[] []"


def measured(folder: Path, verdicts: dict[str, str], *, wrong: float = 0.0) -> EnginesRecord:
    """Record a trial: every engine says of the probes what it says, and the last is the fastest."""
    spec, record = read_bundle(folder), read_record(folder)
    assert record is not None
    said = {TORCH: said_of_probes(spec, load_bundle(folder, "cpu", engine=TORCH).runs)}
    said |= {name: said_of_probes(spec, open_engine(folder, spec, name)) for name in verdicts if name != TORCH}
    trials = {
        name: Trial(
            verdict=Verdict.model_validate({"passed": passed, "largest_difference": 0.0}),
            times=Times(one=10.0 - place, each_of_batch=1.0, views=2),
            probes={"": [value + wrong for value in said[name]]},
        )
        for place, (name, passed) in enumerate(verdicts.items())
    }
    tuning = Tuning(cohort="small", fingerprint="0" * 64, cases=2, views=2, held_out=False, parts="test")
    machine = Machine(processor="a", instructions=[], threads=1)
    found = Measured(
        answers_sha256=answers_sha256(spec, {"": spec}), tuning=tuning, machine=machine, engines=trials,
        choice=list(verdicts)[-1], why="",
    )  # fmt: skip
    complete = record.model_copy(update={"measured": found})
    write_record(folder, complete)
    assert read_record(folder) == complete
    return complete


def test_the_recorded_choice_is_used_while_it_says_here_what_it_said(folder: Path) -> None:
    measured(folder, {TORCH: "reference", "onnxruntime": "exact"})
    assert load_bundle(folder).runs.name == "onnxruntime"
    assert load_bundle(folder, "cpu", engine=TORCH).runs.name == TORCH
    measured(folder, {TORCH: "reference", "onnxruntime": "exact"}, wrong=0.01)
    spec = read_bundle(folder)
    chosen = choose_engine(folder, spec, {"": (folder, spec)})
    assert (chosen.name, chosen.engines) == (TORCH, {})
    assert "logits differ here by" in chosen.why


def test_an_engine_that_passed_no_gate_is_never_chosen_by_itself(folder: Path) -> None:
    measured(folder, {TORCH: "reference", "onnxruntime": "none"})
    assert load_bundle(folder).runs.name == TORCH
    assert load_bundle(folder, engine="onnxruntime").runs.name == "onnxruntime"  # by name it may be tried


def test_a_gate_holds_for_the_threshold_that_it_was_held_with(folder: Path) -> None:
    measured(folder, {TORCH: "reference", "onnxruntime": "exact"})
    text = (folder / "bundle.yaml").read_text(encoding="utf-8")
    (folder / "bundle.yaml").write_text(text.replace("value: 0.5", "value: 0.6"), encoding="utf-8")
    assert read_bundle(folder).thresholds.value == 0.6  # type: ignore[union-attr]
    assert load_bundle(folder).runs.name == TORCH


def test_a_damaged_record_is_refused_and_a_newer_one_too(folder: Path) -> None:
    path = folder / "engines.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("isthmus-engines/1.0", "isthmus-engines/2.0"), encoding="utf-8")
    with pytest.raises(BundleError, match="newer than this Isthmus reads"):
        load_bundle(folder)
    path.write_text(text.replace("parts: 2", "parts: none"), encoding="utf-8")
    with pytest.raises(BundleError, match=r"engines.yaml is not valid: graphs\.fp32\.parts"):
        load_bundle(folder)
    path.write_text(text.replace("file: model.onnx", "file: ../model.onnx"), encoding="utf-8")
    with pytest.raises(BundleError, match=r"graphs\.fp32\.file"):
        load_bundle(folder)


def test_exporting_again_writes_the_same_graph(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "_exported", lambda *given: TEMPLATES["stills"])
    before = sha256_of_file(folder / "model.onnx")
    complete = measured(folder, {TORCH: "reference", "onnxruntime": "exact"})
    export_onnx(folder)
    assert sha256_of_file(folder / "model.onnx") == before
    assert read_record(folder) == complete  # what was measured still holds


@pytest.mark.parametrize("name", ["openvino-int8", "openvino-int8-bf16"])
def test_a_graph_in_whole_numbers_is_near_and_smaller(folder: Path, name: str) -> None:
    pytest.importorskip(name.partition("-")[0])
    from isthmus.inference.engines import graph_engine
    from isthmus.inference.network_inputs import network_inputs
    from isthmus.inference.quantise import quantised

    spec, record = read_bundle(folder), read_record(folder)
    assert record is not None
    facts, (pixels, masks) = record.graphs["fp32"], probes_of(spec)
    content, told = quantised(
        (folder / "model.onnx").read_bytes(), facts, [network_inputs(("image",), pixels, None, spec.prepare)]
    )
    assert told.size < facts.size / 2
    found = graph_engine(name, spec, told, content).view_scores(pixels, masks)
    expected = load_bundle(folder, "cpu", engine=TORCH).runs.view_scores(pixels, masks)
    for one, other in zip(found, expected, strict=True):
        spread = np.abs(other.logits).max()
        assert 0 < np.abs(one.logits - other.logits).max() < 0.2 * spread


def test_the_first_convolutions_of_each_network_may_stay_as_they_are(folder: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from isthmus.inference.network_inputs import network_inputs
    from isthmus.inference.quantise import quantised

    spec, record = read_bundle(folder), read_record(folder)
    assert record is not None
    blocks = [network_inputs(("image",), probes_of(spec)[0], None, spec.prepare)]
    content, facts = (folder / "model.onnx").read_bytes(), record.graphs["fp32"]

    def in_whole_numbers(left_out: float) -> list[tuple[str, bool]]:
        graph = onnx.load_model_from_string(quantised(content, facts, blocks, left_out)[0]).graph
        made = {name: node.op_type for node in graph.node for name in node.output}
        # Nothing is turned into whole numbers behind a convolution: OpenVINO joins it with what follows.
        sources = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
        assert "Conv" not in {made.get(name) for name in sources}
        return [
            (node.name.partition("/")[0], made.get(node.input[0]) == "DequantizeLinear")
            for node in graph.node
            if node.op_type == "Conv"
        ]

    everything, half = in_whole_numbers(0.0), in_whole_numbers(0.5)
    assert all(whole for _, whole in everything)
    for part in ("0", "1"):
        own = [whole for name, whole in half if name == part]
        left = round(0.5 * len(own))
        assert own == [False] * left + [True] * (len(own) - left)
        assert left > 0
