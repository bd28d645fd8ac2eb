"""Initial weights: the table, the cache, the download, and what fits a network."""

import functools
import hashlib
import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from isthmus.errors import WeightsError
from isthmus.models import official_weights
from isthmus.models.classifier import Classifier
from isthmus.models.official_weights import OFFICIAL, OfficialWeights, cache_folder
from isthmus.models.registry import cards, create
from isthmus.models.weights import fetch, import_weights, list_weights, load_initial_weights, locate


def published(classes: int = 1000, channels: int = 3, *, width: int = 8) -> dict[str, Tensor]:
    """Return a state dictionary as torchvision would name it."""
    network = create("resnet18", classes=classes, channels=channels, width=width)
    return {name.removeprefix("net."): value for name, value in network.state_dict().items()}


def small(classes: int = 2, channels: int = 1) -> Classifier:
    return create("resnet18", classes=classes, channels=channels, width=8)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "given.pth"
    torch.save(published(), path)
    return path


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, file: Path) -> OfficialWeights:
    """Make the small file the official one of resnet18, as if its publisher had named it by its hash."""
    prefix = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    entry = OfficialWeights(
        "resnet18_imagenet", "resnet18", f"{file.parent.as_uri()}/{file.name}", prefix, "a publisher", "a licence"
    )
    monkeypatch.setitem(official_weights.OFFICIAL, entry.name, entry)  # type: ignore[arg-type]
    return entry


def test_the_table_names_networks_that_exist_and_hashes_as_in_the_files_names() -> None:
    for name, entry in OFFICIAL.items():
        assert name in cards()[entry.network].weights
        assert name.endswith(("_imagenet", "_kinetics"))
        assert entry.file.endswith(f"-{entry.sha256_prefix}.pth")
        assert entry.address.startswith(("https://download.pytorch.org/models/", "https://github.com/lukemelas/"))
        assert "non-commercial" in entry.licence
    assert {name for card in cards().values() for name in card.weights} == set(OFFICIAL)
    # As torchvision's documentation writes them, and EfficientNet-PyTorch's list of addresses.
    assert {entry.file for entry in OFFICIAL.values()} == {
        "resnet18-f37072fd.pth",
        "resnet34-b627a593.pth",
        "resnet50-0676ba61.pth",
        "mobilenet_v2-b0353104.pth",
        "alexnet-owt-7be5be79.pth",
        "vgg16-397923af.pth",
        "googlenet-1378be20.pth",
        "densenet121-a639ec97.pth",
        "densenet169-b2777c0a.pth",
        "densenet201-c1103571.pth",
        "efficientnet-b0-355c32eb.pth",
        "convnext_tiny-983f1562.pth",
        "r2plus1d_18-91a641e6.pth",
    }


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ISTHMUS_WEIGHTS", str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a"
    assert cache_folder(tmp_path / "b") == tmp_path / "b"
    monkeypatch.delenv("ISTHMUS_WEIGHTS")
    monkeypatch.setattr(official_weights.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "isthmus" / "weights"


def test_absent_weights_name_the_commands_that_help(cache: Path) -> None:
    with pytest.raises(
        WeightsError,
        match=r"not on this machine \(resnet18-f37072fd.pth\).*weights fetch resnet18_imagenet.*weights import",
    ):
        load_initial_weights(small(), "imagenet", cache=cache)


def test_a_network_without_published_weights_says_so(cache: Path) -> None:
    with pytest.raises(WeightsError, match="no published ImageNet weights for thyronet_x4"):
        locate("imagenet", network="thyronet_x4", cache=cache)


def test_weights_of_another_network_are_refused(cache: Path) -> None:
    with pytest.raises(WeightsError, match="resnet18_imagenet are weights of resnet18; expected weights of resnet34"):
        locate("resnet18_imagenet", network="resnet34", cache=cache)


def test_an_unknown_name_is_answered_with_the_nearest(cache: Path) -> None:
    with pytest.raises(WeightsError, match="did you mean 'resnet18_imagenet'"):
        locate("resnet18_imagnet", cache=cache)


def test_an_imported_official_file_is_recognised_by_its_hash(known: OfficialWeights, file: Path, cache: Path) -> None:
    assert import_weights(file, cache=cache) == "resnet18_imagenet"
    network = small()
    provenance = load_initial_weights(network, "imagenet", cache=cache)
    state = published_file(file)
    assert torch.equal(network.state_dict()["net.layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])
    assert torch.equal(network.state_dict()["net.conv1.weight"], state["conv1.weight"].sum(1, keepdim=True))
    assert (provenance.origin, provenance.licence) == ("a publisher", "a licence")
    assert provenance.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert [note.split(":")[0] for note in provenance.notes] == ["first convolution", "last layer"]
    assert "1000 classes in the file, 2 here" in provenance.notes[1]
    entry = next(one for one in list_weights(cache) if one.name == "resnet18_imagenet")
    assert entry.present


def published_file(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)


def test_the_same_file_given_by_path_has_the_same_provenance(known: OfficialWeights, file: Path, cache: Path) -> None:
    assert locate(file, cache=cache)[1].origin == "a publisher"


def test_a_file_altered_in_the_cache_is_noticed(known: OfficialWeights, file: Path, cache: Path) -> None:
    import_weights(file, cache=cache)
    with (cache / known.file).open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(WeightsError, match=f"was altered.*expected {known.sha256_prefix}.*remove it, then"):
        locate("resnet18_imagenet", cache=cache)


def test_a_file_of_ones_own_enters_under_its_own_name(file: Path, cache: Path) -> None:
    assert import_weights(file, licence="CC0", cache=cache) == "given"
    assert import_weights(file, licence="CC0", cache=cache) == "given"  # the same again changes nothing
    _, provenance = locate("given", cache=cache)
    assert (provenance.origin, provenance.licence) == ("file of the user's own: given.pth", "CC0")
    assert [one.name for one in list_weights(cache) if one.present] == ["given"]
    other = file.with_name("other.pth")
    torch.save({"a": torch.zeros(1)}, other)
    with pytest.raises(WeightsError, match="the name 'given' is taken"):
        import_weights(other, name="given", cache=cache)
    with pytest.raises(WeightsError, match=r"not the official file of resnet18_imagenet.*expected f37072fd"):
        import_weights(other, name="resnet18_imagenet", cache=cache)
    with pytest.raises(WeightsError, match=r"'\.\./up' is no name"):
        import_weights(other, name="../up", cache=cache)


@pytest.mark.parametrize(
    ("name", "message"), [("no.pth", "no such weight file"), ("notes.txt", "'.txt' is no weight file")]
)
def test_what_is_no_weight_file_is_refused(tmp_path: Path, cache: Path, name: str, message: str) -> None:
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(WeightsError, match=message):
        import_weights(tmp_path / name, cache=cache)


# --- the download ---------------------------------------------------------------------------------------------------


@pytest.fixture
def server(file: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(file.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.server_port}"
        listener.shutdown()
        thread.join()


def test_a_download_is_checked_kept_and_not_repeated(
    known: OfficialWeights, file: Path, cache: Path, server: str
) -> None:
    seen: list[tuple[int, int | None]] = []
    path = fetch(known.name, cache, lambda done, total: seen.append((done, total)), address=f"{server}/{file.name}")
    assert path.read_bytes() == file.read_bytes()
    assert seen[-1] == (file.stat().st_size, file.stat().st_size)
    assert fetch(known.name, cache, address=f"{server}/gone.pth") == path


def test_a_download_that_is_another_file_leaves_nothing(
    known: OfficialWeights, file: Path, cache: Path, server: str
) -> None:
    file.with_name("other.pth").write_bytes(b"a login page")
    with pytest.raises(
        WeightsError, match=f"not the official file.*expected {known.sha256_prefix}.*isthmus weights import"
    ):
        fetch(known.name, cache, address=f"{server}/other.pth")
    assert list(cache.iterdir()) == []


def test_a_failed_download_says_what_to_do_offline(known: OfficialWeights, cache: Path, server: str) -> None:
    with pytest.raises(WeightsError, match=r"the download failed: File not found.*without internet"):
        fetch(known.name, cache, address=f"{server}/gone.pth")
    with pytest.raises(WeightsError, match="begins with https://"):
        fetch(known.name, cache, address="ftp://example.org/x.pth")


def test_a_download_without_end_is_cut_off(
    known: OfficialWeights, file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official_weights, "LARGEST", 1000)
    with pytest.raises(WeightsError, match="more than 1000 bytes came"):
        fetch(known.name, cache)
    assert list(cache.iterdir()) == []


# --- what fits ------------------------------------------------------------------------------------------------------


def saved(tmp_path: Path, state: object, name: str = "state.pth") -> Path:
    path = tmp_path / name
    torch.save(state, path)
    return path


def test_weights_that_fit_wholly_load_without_a_note(tmp_path: Path) -> None:
    state = published(2, 1)
    save_file(state, tmp_path / "state.safetensors")
    network = small()
    assert load_initial_weights(network, tmp_path / "state.safetensors").notes == ()
    assert torch.equal(network.state_dict()["net.fc.weight"], state["fc.weight"])


def test_ones_own_parameter_names_load_too(tmp_path: Path) -> None:
    state = small().state_dict()
    network = small()
    load_initial_weights(network, saved(tmp_path, state))
    assert torch.equal(network.state_dict()["net.fc.weight"], state["net.fc.weight"])


def test_files_older_than_the_batch_counter_load(tmp_path: Path) -> None:
    state = {name: value for name, value in published(2, 1).items() if not name.endswith("num_batches_tracked")}
    load_initial_weights(small(), saved(tmp_path, state))


def test_a_replaced_head_keeps_its_random_start(tmp_path: Path) -> None:
    network = small(classes=3)
    before = network.state_dict()["net.fc.weight"].clone()
    load_initial_weights(network, saved(tmp_path, published(2, 1)))
    assert torch.equal(network.state_dict()["net.fc.weight"], before)


def without(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key != name}


def test_every_other_difference_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    state = published(2, 1)
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    faults = {
        r"1 missing \(net.bn1.weight\), nothing unknown": without(state, "bn1.weight"),
        r"nothing missing, 1 unknown \(net.extra\)": {**state, "extra": torch.zeros(1)},
        r"conv1.weight \[16, 1, 7, 7\] instead of \[8, 1, 7, 7\].* more": published(2, 1, width=16),
        r"conv1.weight \[8, 4, 7, 7\] instead of": {**state, "conv1.weight": torch.zeros(8, 4, 7, 7)},
        "'bn1.bias' holds values that are not finite": {**state, "bn1.bias": torch.full((8,), float("nan"))},
        "is dict, not a tensor": {"state_dict": state},
        "holds no parameters": {},
    }
    for message, fault in faults.items():
        with pytest.raises(WeightsError, match=message):
            load_initial_weights(network, saved(tmp_path, fault))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
@pytest.mark.parametrize(("before", "channels"), [(3, 5), (3, 15), (3, 1), (1, 3), (1, 5)])
def test_equal_channels_are_answered_as_the_file_s_network_answers_the_grey_picture(
    tmp_path: Path, name: str, before: int, channels: int
) -> None:
    torch.manual_seed(0)
    theirs = create(name, classes=2, channels=before, width=8).eval()
    ours = create(name, classes=2, channels=channels, width=8).eval()
    provenance = load_initial_weights(ours, saved(tmp_path, theirs.state_dict()))
    assert any("first convolution" in note for note in provenance.notes)
    grey = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        expected = theirs({"image": grey.expand(-1, before, -1, -1)}).logits
        found = ours({"image": grey.expand(-1, channels, -1, -1)}).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    stem = f"{ours.published_prefix}{ours.stem_name}.weight"
    each = ours.state_dict()[stem]
    # Every frame starts alike: their mean over the file's channels, scaled by the share that each takes over.
    scaled = theirs.state_dict()[stem].mean(1, keepdim=True) * before / channels
    torch.testing.assert_close(each, scaled.expand_as(each))


def test_a_stem_of_other_channels_than_one_or_three_is_not_remade(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"conv1.weight \[8, 5, 7, 7\] instead of \[8, 3, 7, 7\]"):
        load_initial_weights(small(channels=3), saved(tmp_path, published(2, 5)))


class Payload:
    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("code in a weight file was run",))


def test_code_in_a_weight_file_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds more than tensors, and is not read"):
        load_initial_weights(small(), saved(tmp_path, {"conv1.weight": Payload()}))


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
def test_a_truncated_file_is_an_error(tmp_path: Path, name: str) -> None:
    stream = io.BytesIO()
    torch.save(published(2, 1), stream)
    (tmp_path / name).write_bytes(stream.getvalue()[:5000])
    with pytest.raises(WeightsError, match=name):
        load_initial_weights(small(), tmp_path / name)
