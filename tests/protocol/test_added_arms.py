"""A finished run gets one more arm: only that is trained, and nothing of the others changes."""

import shutil
from pathlib import Path

import pytest

from isthmus.errors import CohortError, FitError, FrozenError, OutputError, ProtocolError
from isthmus.files import read_json, read_yaml, write_json, write_yaml
from isthmus.protocol.resolve import find_protocol, resolve_protocol
from isthmus.protocol.run import run
from isthmus.protocol.run_folder import open_run
from tests.protocol.conftest import SETTINGS

MORE = [setting for setting in SETTINGS if not setting.startswith("only")]


@pytest.fixture(scope="module")
def three_arms(tmp_path_factory) -> str:
    """The shipped protocol's two arms of the finished run, and a third."""
    content = read_yaml(find_protocol("wang2025"))
    chosen = {arm: content["arms"][arm] for arm in ("thyronet_x4", "resnet34")}
    content["arms"] = {**chosen, "wider": {"network": "resnet34", "options": {"width": 8}}}
    for key in ("only", "arms"):  # the profile's own, which name the shipped protocol's arms
        content["profiles"]["smoke"].pop(key, None)
    path = tmp_path_factory.mktemp("protocols") / "three.yaml"
    write_yaml(path, content)
    return str(path)


def again(three_arms, cohorts, folder, *settings: str):
    layers = [*MORE, "only=[thyronet_x4, resnet34, wider]", *settings]
    return run(three_arms, cohorts[0], folder, external=cohorts[1], profile="smoke", settings=layers, resume=True)


@pytest.fixture(scope="module")
def grown(finished, cohorts, three_arms, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "grown"
    shutil.copytree(finished[0].folder, folder)
    return again(three_arms, cohorts, folder)


def test_only_the_added_arm_is_trained(finished, grown):
    def seen(folder: Path) -> dict[str, tuple[int, bytes]]:
        files = (folder / "arms").glob("*/*/seed-*/fold-*/*")
        return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files
                if path.is_file()}  # fmt: skip

    before, after = seen(finished[0].folder), seen(grown.folder)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[1] for name in set(after) - set(before)} == {"wider"}


def test_rows_and_choices_of_the_other_arms_keep_their_bytes(finished, grown):
    before = (finished[0].folder / "predictions.csv").read_text(encoding="utf-8").splitlines()
    after = (grown.folder / "predictions.csv").read_text(encoding="utf-8").splitlines()
    assert [line for line in after if ",wider," not in line] == before
    assert len(after) > len(before)
    old, new = (read_json(one.folder / "frozen.json")["arms"] for one in (finished[0], grown))
    assert {name: new[name] for name in old} == old
    arithmetic = [read_json(one.folder / "arithmetic.json")["arms"] for one in (finished[0], grown)]
    assert {name: arithmetic[1][name] for name in arithmetic[0]} == arithmetic[0]
    assert set(arithmetic[1]) - set(arithmetic[0]) == {"wider"}


def test_the_added_arm_meets_every_set_and_the_openings_say_by_whom(grown):
    assert set(grown.evidence["arms"]["wider"]) == {"cv", "test", "external"}
    openings = read_json(grown.folder / "openings.json")["openings"]
    assert [(one["split"], one["arms"]) for one in openings] == [
        ("test", ["thyronet_x4", "resnet34"]), ("external", ["thyronet_x4", "resnet34"]),
        ("test", ["wider"]), ("external", ["wider"]),
    ]  # fmt: skip
    page = grown.report.read_text(encoding="utf-8")
    assert "was opened 2 times: by ThyroNet-X4 (full) and Baseline (ResNet34), then by wider." in page


def test_the_added_arm_stands_in_the_new_comparisons(grown):
    assert {"wider"} <= {entry["a"] for entry in grown.evidence["comparisons"]}
    assert list(grown.protocol.arms) == ["thyronet_x4", "resnet34", "wider"]


def test_arms_are_not_removed_from_a_run(grown, cohorts, three_arms):
    with pytest.raises(OutputError, match="not asked for now: wider; arms are added to a run, never removed"):
        again(three_arms, cohorts, grown.folder, "only=[thyronet_x4, resnet34]")


def test_an_external_cohort_that_the_run_has_met_is_given_again(finished, cohorts, three_arms):
    # Without it the other arms' external rows would go from predictions.csv.
    layers = [*MORE, "only=[thyronet_x4, resnet34, wider]"]
    with pytest.raises(CohortError, match=r"this run has met Another, .* not given now"):
        run(three_arms, cohorts[0], finished[0].folder, profile="smoke", settings=layers, resume=True)
    assert "external" in open_run(finished[0].folder).evidence["arms"]["resnet34"]


def test_an_added_arm_brings_no_other_change_in(finished, cohorts, three_arms):
    with pytest.raises(OutputError, match=r"another protocol: splits.tune is 0.2 there and 0.3 now"):
        again(three_arms, cohorts, finished[0].folder, "splits.tune=0.3")


def test_an_older_arms_altered_choice_stops_the_addition(finished, cohorts, three_arms, tmp_path):
    folder = tmp_path / "altered"
    shutil.copytree(finished[0].folder, folder)
    content = read_json(folder / "frozen.json")
    content["arms"]["resnet34"]["threshold"] = 0.123
    write_json(folder / "frozen.json", content)
    with pytest.raises(FrozenError, match="changed since"):
        again(three_arms, cohorts, folder)


def test_an_added_arm_that_looks_at_other_nodules_is_refused(finished, cohorts, three_arms, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[0].folder, folder)
    split = (folder / "split.csv").read_text(encoding="utf-8").splitlines()
    gone = split[1].split(",")[2]
    kept = [line for line in split if line.split(",")[2] != gone]
    (folder / "split.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    with pytest.raises(CohortError, match=r"divide its groups of patients otherwise now.* 1 of them not in both"):
        again(three_arms, cohorts, folder)
    # A refused arm leaves a finished run as it was: it opens, and without that arm.
    assert list(open_run(folder).protocol.arms) == ["thyronet_x4", "resnet34"]


def test_a_finished_fit_of_other_pictures_is_not_taken_over(finished, cohorts, three_arms, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[0].folder, folder)
    path = folder / "arms" / "resnet34" / "resnet34" / "seed-0" / "fold-0" / "fit.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("store_key: ", "store_key: x", 1), encoding="utf-8")
    with pytest.raises(FitError, match="not the one that the run would do now"):
        again(three_arms, cohorts, folder)
    assert list(open_run(folder).protocol.arms) == ["thyronet_x4", "resnet34"]


def test_chosen_arms_hold_the_primary_contrast_and_narrow_what_is_explained(three_arms):
    protocol = resolve_protocol(three_arms, "smoke", ["only=[resnet34, thyronet_x4]", "leak={arm: wider}"])
    assert list(protocol.arms) == ["thyronet_x4", "resnet34"]
    assert protocol.leak is None
    with pytest.raises(ProtocolError, match="resnet34 of the primary contrast is not among the chosen arms"):
        resolve_protocol(three_arms, "smoke", ["only=[wider, thyronet_x4]"])
    with pytest.raises(ProtocolError, match="did you mean 'wider'"):
        resolve_protocol(three_arms, "smoke", ["only=[wide, thyronet_x4, resnet34]"])
