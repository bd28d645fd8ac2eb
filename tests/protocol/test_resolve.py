"""The protocol language: layers, shipped files, and errors that name the nearest right word."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cohort.description import Target
from isthmus.errors import InputError, ProtocolError
from isthmus.models import registry
from isthmus.protocol.class_checks import check_several_classes
from isthmus.protocol.reductions import reductions
from isthmus.protocol.resolve import PROFILES, deep_merge, resolve_protocol, shipped_protocols, validate

values = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
mappings = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@given(mappings)
def test_merging_nothing_changes_nothing_and_merging_itself_is_idempotent(one):
    assert deep_merge(one, {}) == one == deep_merge({}, one) == deep_merge(one, one)


@given(mappings, mappings)
def test_the_layer_above_wins_wherever_it_speaks(below, above):
    merged = deep_merge(below, above)
    for key, value in above.items():
        assert merged[key] == (
            deep_merge(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
        )


@pytest.mark.parametrize("name", shipped_protocols())
@pytest.mark.parametrize("profile", PROFILES)
def test_every_shipped_protocol_resolves_in_every_profile_and_reads_back(name, profile):
    protocol = resolve_protocol(name, profile)
    assert validate(yaml.safe_load(yaml.safe_dump(protocol.model_dump(mode="json"))), "protocol.yaml") == protocol


@pytest.mark.parametrize("name", shipped_protocols())
def test_an_arm_that_is_named_after_a_network_trains_that_network_in_every_profile(name):
    # A reader of a small run's report takes `Joined, a ResNet50 branch for each` for what was trained.
    stems = {network.removesuffix("_3d").removesuffix("_2d").replace("_", "") for network in registry.cards()}
    paper = resolve_protocol(name)
    for profile in PROFILES:
        for arm, spec in resolve_protocol(name, profile).arms.items():
            said = f"{arm} {spec.title}".lower().replace("_", " ")
            if any(re.search(rf"\b{stem}\b", said) for stem in stems):
                assert spec.network == paper.arms[arm].network, (profile, arm)
        titles = " ".join(contrast.title.lower() for contrast in paper.secondary)
        assert not any(re.search(rf"\b{stem}\b", titles) for stem in stems), titles


def test_the_paper_profile_keeps_what_the_paper_states():
    # Wang et al. 2025, Methods: Adam, learning rate 0.001 with decay, batch 32, 100 epochs.
    train = resolve_protocol("wang2025").arms["thyronet_x4"].train
    assert (train.optimiser, train.rate, train.batch, train.epochs, train.schedule) == (
        "adam",
        0.001,
        32,
        100,
        "cosine",
    )


def test_settings_come_last_and_reach_one_arm_or_all():
    protocol = resolve_protocol(
        "wang2025", "small", ["defaults.train.epochs=7", "arms.resnet34.train.batch=8", "splits.seeds=[4]"]
    )
    assert {arm.train.epochs for arm in protocol.arms.values()} == {7}
    assert protocol.arms["resnet34"].train.batch == 8
    assert protocol.arms["thyronet_x4"].train.batch == 32
    assert protocol.splits.seeds == [4]


def test_every_reduction_of_a_profile_is_listed_in_words():
    lines = reductions("wang2025", "small")
    assert "splits.cross_validation.folds: 3 instead of 5" in lines
    assert any(line.startswith("every arm's train.epochs: ") and line.endswith("instead of 100") for line in lines)
    assert reductions("wang2025", "paper") == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["defaults.train.epoch=3"], ["unknown key 'defaults.train.epoch' (--set", "did you mean 'epochs'?"]),
        (["defaults.trian.epochs=3"], ["'defaults.trian' (--set defaults.trian.epochs)", "did you mean 'train'?"]),
        (["arms.resnet34.trian.epochs=3"], ["'arms.resnet34.trian' (--set arms.resnet34.trian.epochs)"]),
        (["defaults.train={epoch: 3}"], ["unknown key 'defaults.train.epoch' (--set defaults.train)"]),
        (["defaults.train.epochs=three"], ["defaults.train.epochs is 'three' (--set", "expected a whole number"]),
        (["defaults.train.rate=fast"], ["defaults.train.rate is 'fast'", "expected a number"]),
        (["defaults.train=3"], ["defaults.train is 3", "expected keys with values (", "epochs"]),
        (["claims=perhaps"], ["claims is 'perhaps'", "expected true or false"]),
        (["title=3"], ["title is 3", "expected text. Next: put it in quotes: --set 'title=\"3\"'"]),
        (
            ["target=malignant"],
            ["target is 'malignant' (--set target)", "a list in square", '--set "target=[malignant]"'],
        ),
        (["target=[]"], ["target is [] (--set target); expected entries: at least 1"]),
        (["threshold=youdn"], ["threshold is 'youdn'", "'youden' or 'prevalence'. Next: did you mean 'youden'?"]),
        (["only=[resnet43]"], ["no arm is called 'resnet43' (--arms); expected thyronet_x4, resnet34", "did you mean"]),
        (["defaults=3"], ["defaults is 3 (--set defaults); expected keys with values"]),
        (["arms=3"], ["arms is 3 (--set arms); expected keys with values"]),
        (["arms.resnet34=3"], ["arms.resnet34 is 3 (--set arms.resnet34); expected keys with values"]),
        (["splits.cross_validation.fold=3"], ["did you mean 'folds'?"]),
        (
            ["arms.resnet43.network=resnet34"],
            ["no arm is called 'resnet43'", "(--set arms", "did you mean 'resnet34'?"],
        ),
        (["primary.against=resnet50"], ["primary.against is 'resnet50'", "thyronet_x4, resnet34"]),
        (
            ["splits.cross_validation.folds=1"],
            ["splits.cross_validation.folds is 1", "expected at least 2"],
        ),
        (["defaults.train.augment=[flop]"], ["unknown augmentation 'flop'"]),
        (["defaults.train.epochs"], ["is not key=value"]),
        (["splits.seeds=[1, 1]"], ["a seed stands twice"]),
        (["splits.test={}"], ["give either column or fraction"]),
    ],
)
def test_a_wrong_setting_is_answered_with_what_was_expected(settings, words):
    with pytest.raises(ProtocolError) as error:
        resolve_protocol("wang2025", settings=settings)
    for word in words:
        assert word in str(error.value)


def test_what_a_file_says_wrongly_is_not_blamed_on_a_setting_beside_it(tmp_path: Path):
    content = yaml.safe_load(shipped_protocols()["wang2025"].read_text(encoding="utf-8"))
    del content["arms"]["resnet34"]["network"]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ProtocolError, match=r"the key 'arms.resnet34.network' is missing \(mine.yaml\)"):
        resolve_protocol(str(path), settings=["arms.resnet34.train.epochs=3"])
    content["arms"]["resnet34"] |= {"network": "resnet34", "prepare": {"layout": "3d"}}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ProtocolError, match=r"\(mine.yaml\)"):
        resolve_protocol(str(path), settings=["arms.resnet34.prepare.margin=0.2"])


def test_an_unknown_protocol_is_answered_with_the_nearest_name():
    with pytest.raises(ProtocolError, match=r"did you mean 'wang2025'\?"):
        resolve_protocol("wang2052")


def test_an_unknown_profile_is_answered_with_those_there_are():
    with pytest.raises(ProtocolError, match="paper, small, smoke"):
        resolve_protocol("wang2025", "tiny")


def test_a_protocol_of_the_users_own_is_a_yaml_file(tmp_path: Path):
    content = yaml.safe_load(shipped_protocols()["wang2025"].read_text(encoding="utf-8"))
    content["protocol"] = "mine"
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert resolve_protocol(str(path)).protocol == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "not YAML"),
        ("format: isthmus-protocol/2.0", "newer than this Isthmus reads"),
        ("format: isthmus-cohort/1.0", "expected isthmus-protocol/1.x"),
    ],
)
def test_a_file_that_is_no_protocol_is_refused(tmp_path: Path, text: str, words: str):
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        resolve_protocol(str(path))


def test_an_arm_of_a_colour_modality_may_not_have_its_colour_filled_in():
    with pytest.raises(ProtocolError, match="set it to 'keep'"):
        resolve_protocol("wang2025", "small", ["arms.resnet34.view.modality=smi"])
    kept = resolve_protocol(
        "wang2025", "small", ["arms.resnet34.view.modality=smi", "arms.resnet34.prepare.marks=keep"]
    )
    assert kept.arms["resnet34"].prepare.marks == "keep"


def test_arms_that_are_reduced_alike_share_a_line():
    lines = reductions("qian2025", "small")
    assert "every arm's train.epochs: 12 instead of 60" in lines
    assert any(line.startswith("prepare.frames.count of attention, plain, resnet50_3d") for line in lines)


def test_arms_that_a_profile_leaves_out_and_a_run_has_are_compared_too():
    lines = reductions("qian2025", "smoke", ["attention", "plain", "still"])
    assert not any("network" in line for line in lines)
    assert "options.padding" in " ".join(lines)


def test_what_leaves_fusions_out_where_there_are_several_classes_is_taken_by_the_protocol():
    classes = {"0": "a", "1": "b", "2": "c"}
    target = Target(
        name="group", column="group", table="patients", unit="patient", classes=classes, reference="surgery"
    )
    with pytest.raises(ProtocolError, match=r"fusions \(late\) need two classes") as refused:
        check_several_classes(resolve_protocol("ding2026"), target)
    arms = re.search(r"--arms (\S+)", str(refused.value))
    assert arms
    asked = re.findall(r"--set (\S+)", str(refused.value))
    left = resolve_protocol("ding2026", settings=[*asked, f"only=[{arms[1]}]"])
    assert not left.fusions
    assert len(left.arms) >= 2


def test_where_a_part_is_held_out_the_number_of_folds_is_no_reduction():
    said = [reductions("qian2025", "smoke", in_folds=in_folds) for in_folds in (True, False)]
    assert set(said[0]) - set(said[1]) == {"splits.cross_validation.folds: 2 instead of 5"}
