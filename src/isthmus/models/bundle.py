"""The bundle: a folder that is a model (contract 3).

``bundle.yaml`` (what it is), ``parts/*.safetensors`` (the fold models, whose probabilities are averaged), perhaps
``out_of_distribution.safetensors`` (what their training pictures were like) and ``card.md`` (for people). Nothing
in it is executed when it is read; every part's SHA-256 is checked when it is loaded.
"""

import copy
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from isthmus.errors import BundleError, InputError, IsthmusError
from isthmus.files import new_folder, read_yaml, sha256_of_file, write_bytes, write_text, write_yaml
from isthmus.models.bundle_spec import BundleSpec, Part
from isthmus.models.card import render_card
from isthmus.models.official_weights import LARGEST
from isthmus.models.registry import is_own_file, own_file_sha256
from isthmus.models.training_likeness import TrainingLikeness, read_likeness

if TYPE_CHECKING:
    from torch import Tensor

    from isthmus.models.classifier import Classifier

LARGEST_YAML = 4 * 1024**2


def write_bundle(
    folder: Path,
    spec: BundleSpec,
    parts: Sequence[Mapping[str, "Tensor"]],
    card: str | None = None,
    likeness: TrainingLikeness | None = None,
) -> BundleSpec:
    """Write a bundle atomically.

    Parameters
    ----------
    folder : Path
        May not exist, or must be empty.
    spec : BundleSpec
        With one entry of ``parts`` for each state dictionary; their files and hashes are filled in.
    parts : sequence of state dictionaries
        The fold models' parameters, all with the same names.
    card : str, optional
        Markdown; by default rendered from ``spec``.
    likeness : TrainingLikeness, optional
        What the parts know of their training pictures.

    Returns
    -------
    BundleSpec
        As written, with files and hashes.

    Raises
    ------
    BundleError
        When ``parts`` and ``spec.parts`` do not match.
    OutputError
        When the folder has something in it or cannot be written.
    """
    from safetensors.torch import save

    if len(parts) != len(spec.parts):
        raise BundleError(f"{len(parts)} state dictionaries for {len(spec.parts)} parts", where=spec.name)
    folder, network = Path(folder), spec.network
    if is_own_file(network.name):
        file, _, function = network.name.rpartition(":")
        network = network.model_copy(
            update={"name": f"{Path(file).name}:{function}", "file_sha256": own_file_sha256(network.name)}
        )
    with new_folder(folder) as partial:
        (partial / "parts").mkdir()
        written = []
        names: set[str] = set()
        # One at a time: parts that are read as they are asked for need not be in memory together.
        for index, part in enumerate(spec.parts):
            state = parts[index]
            names = names or set(state)
            if set(state) != names:
                raise BundleError("the parts have different parameter names", where=spec.name, expected="one network")
            content = save({name: value.detach().cpu().contiguous() for name, value in state.items()})
            file = f"parts/{index}.safetensors"
            write_bytes(partial / file, content)
            written.append(part.model_copy(update={"file": file, "sha256": hashlib.sha256(content).hexdigest()}))
        said = None
        if likeness is not None:
            said, content = likeness.encoded()
            write_bytes(partial / said.file, content)
        complete = spec.model_copy(update={"parts": written, "network": network, "out_of_distribution": said})
        write_yaml(partial / "bundle.yaml", complete.model_dump(mode="json"))
        write_text(partial / "card.md", render_card(complete) if card is None else card)
    return complete


def no_bundle(folder: Path) -> BundleError:
    """Return the refusal of a folder that is no bundle, with the bundles that lie in it: of a run, or of an arm."""
    places = ("bundle", "*/bundle", "arms/*/bundle")
    inside = sorted(path.parent for place in places for path in folder.glob(f"{place}/bundle.yaml"))
    hint = f"one of its bundles: {', '.join(map(str, inside))}" if inside else "a run's models are RUN/arms/ARM/bundle"
    return BundleError("this is no bundle", where=str(folder), expected="a folder with bundle.yaml", hint=hint)


def read_bundle(folder: Path) -> BundleSpec:
    """Read and check ``bundle.yaml``; the parts are only looked for.

    Raises
    ------
    BundleError
        When the folder is no bundle, is of a newer major version, is incomplete, or contradicts itself.
    """
    folder = Path(folder)
    path = folder / "bundle.yaml"
    if not path.is_file():
        raise no_bundle(folder)
    if path.stat().st_size > LARGEST_YAML:
        raise BundleError(f"bundle.yaml has {path.stat().st_size} bytes", where=str(path), expected="a few thousand")
    try:
        spec = BundleSpec.model_validate(read_yaml(path, name="bundle"))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'bundle'}: {one['msg']}" for one in error.errors())
        raise BundleError(f"bundle.yaml is not valid: {faults}", where=str(path)) from error
    except InputError as error:
        raise BundleError(error.what, where=error.where, expected=error.expected, hint=error.hint) from error
    for part in spec.parts:
        if not part.file or not part.sha256:
            raise BundleError("a part lacks its file or sha256", where=str(path))
        _part_path(folder, part)
    return spec


def load_parts(folder: Path, spec: BundleSpec, *, own_network: Path | None = None) -> list["Classifier"]:
    """Load the fold models after checking their hashes.

    Parameters
    ----------
    folder : Path
        The bundle.
    spec : BundleSpec
        Of :func:`read_bundle`.
    own_network : Path, optional
        The Python file of a network of the user's own. A bundle never says by itself which file is executed.

    Returns
    -------
    list of Classifier
        In evaluation mode, float32, on the CPU, in the order of ``spec.parts``. Random states are left as they were.

    Raises
    ------
    BundleError
        When a part is absent or altered, naming its file, or does not fit the network.
    """
    import torch

    folder = Path(folder)
    with torch.random.fork_rng(devices=[]):
        network = _create(spec, own_network)
    network.eval().requires_grad_(False)
    return [_filled(copy.deepcopy(network), folder, part) for part in spec.parts]


def load_likeness(folder: Path, spec: BundleSpec) -> TrainingLikeness | None:
    """Load what the parts know of their training pictures; None where the bundle does not say."""
    said = spec.out_of_distribution
    return None if said is None else read_likeness(Path(folder), said, len(spec.parts))


def _create(spec: BundleSpec, own_network: Path | None) -> "Classifier":
    from isthmus.models.descriptor_heads import create_classifier

    wanted, name = spec.network, spec.network.name
    if is_own_file(name):
        if own_network is None:
            raise BundleError(
                f"this bundle's network is a file of its author's, {name}, which is not run unasked",
                expected="that file, given by you",
                hint="look through it, then give it as own_network",
            )
        if sha256_of_file(own_network) != wanted.file_sha256:
            raise BundleError("this is not the file that the bundle was trained with", where=str(own_network))
        name = f"{own_network}:{name.rpartition(':')[2]}"
    try:
        return create_classifier(
            name,
            classes=wanted.classes,
            channels=wanted.channels,
            options=wanted.options,
            descriptors=spec.descriptors,
            join=spec.join,
        )
    except IsthmusError as error:
        raise BundleError(f"the bundle's network cannot be built: {error}", where=spec.name) from error


def _filled(network: "Classifier", folder: Path, part: Part) -> "Classifier":
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = _part_path(folder, part)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise BundleError(
            "this part was altered or damaged", where=str(path), expected=f"SHA-256 {part.sha256[:8]}…",
            hint="copy the bundle again from where it came",
        )  # fmt: skip
    try:
        network.load_state_dict(load(content), strict=True)
    except (SafetensorError, RuntimeError) as error:
        reason: Any = str(error).splitlines()[-1].strip()
        raise BundleError(f"this part does not fit the bundle's network: {reason}", where=str(path)) from error
    return network


def _part_path(folder: Path, part: Part) -> Path:
    path = folder / PurePosixPath(part.file)
    if not path.is_file():
        raise BundleError("a part is missing", where=str(path), hint="copy the bundle again from where it came")
    if path.stat().st_size > LARGEST:
        raise BundleError(f"a part has {path.stat().st_size} bytes", where=str(path), expected=f"under {LARGEST}")
    return path
