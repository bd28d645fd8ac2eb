import pytest

from isthmus.training import engine, precision
from isthmus.training.settings import TrainSettings
from tests.training.examples import PREPARE
from tests.training.volumes import NETWORK
from tests.training.volumes import PREPARE as CLIPS

TINY = {"network": "resnet18", "options": {"width": 8}, "classes": 2, "prepare": PREPARE, "device": "cpu"}


@pytest.fixture
def seconds(monkeypatch):
    table = {}
    monkeypatch.setattr(precision, "_trial", lambda key, name: table[name])
    monkeypatch.setattr(engine, "has_bf16", lambda device: True)
    return table


@pytest.mark.parametrize(("bf16", "chosen"), [(0.5, "bf16"), (0.99, "fp32"), (1.5, "fp32")])
def test_auto_takes_bf16_only_where_it_is_clearly_faster(seconds, bf16, chosen):
    seconds.update(fp32=1.0, bf16=bf16)
    assert precision.choose_precision(**TINY, train=TrainSettings()) == chosen


def test_a_named_precision_is_taken_without_a_trial(seconds):
    assert precision.choose_precision(**TINY, train=TrainSettings(precision="bf16")) == "bf16"


def test_a_machine_without_bf16_is_not_tried(seconds, monkeypatch):
    monkeypatch.setattr(engine, "has_bf16", lambda device: False)
    assert precision.choose_precision(**TINY, train=TrainSettings()) == "fp32"


def test_volumes_are_trained_in_fp32_on_a_cpu(seconds):
    seconds.update(fp32=1.0, bf16=0.2)
    clips = {**TINY, "network": NETWORK, "options": {}, "prepare": CLIPS}
    assert precision.choose_precision(**clips, train=TrainSettings()) == "fp32"
    assert precision.choose_precision(**{**clips, "device": "cuda:0"}, train=TrainSettings()) == "bf16"


def test_a_trial_is_a_real_step_and_is_used_again(monkeypatch):
    built = []
    original = precision.create
    monkeypatch.setattr(precision, "create", lambda *names, **options: built.append(1) or original(*names, **options))
    settings = TrainSettings(batch=4)
    first = precision.time_step(**TINY, train=settings, precision="fp32")
    again = precision.time_step(**TINY, train=TrainSettings(batch=4, epochs=7), precision="fp32")
    assert 1e-4 < first < 10
    assert (again, len(built)) == (first, 1)
    precision.time_step(**TINY, train=TrainSettings(batch=5), precision="fp32")
    assert len(built) == 2


def test_a_trial_of_clips_has_their_frames_and_masks(monkeypatch):
    seen = []
    forward = precision.steps.forward

    def look(network, pixels, prepare, masks=None):
        seen.append((tuple(pixels.shape), masks is not None))
        return forward(network, pixels, prepare, masks)

    monkeypatch.setattr(precision.steps, "forward", look)
    clips = {**TINY, "network": NETWORK, "options": {}, "prepare": CLIPS}
    assert precision.time_step(**clips, train=TrainSettings(batch=3, recompute=True), precision="fp32") > 0
    assert set(seen) == {((3, 4, 32, 32, 1), True)}
    seen.clear()
    frames = CLIPS.model_copy(update={"layout": "2d"})
    assert precision.time_step(**{**TINY, "prepare": frames}, train=TrainSettings(batch=3), precision="fp32") > 0
    assert set(seen) == {((3, 1, 32, 32, 1), False)}
