"""A fit that trains nothing: it takes the network of another fit of the run over and scores the views otherwise."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from isthmus.errors import FitError
from isthmus.files import read_json, write_bytes, write_json
from isthmus.models.descriptor_heads import create_classifier
from isthmus.models.state import read_state
from isthmus.training import steps
from isthmus.training.scoring import write_scores
from isthmus.training.spec import FitSpec

if TYPE_CHECKING:
    from isthmus.training.data import Store

_FREE = {"arm", "frame_scores", "flips", "weights_of"}
"""What of a specification may differ: the arm's name, and how its network is asked."""

_COPIED = ("weights.safetensors", "log.csv")


def take_over(spec: FitSpec, store: "Store", folder: Path, device: str) -> None:
    """Copy another fit's weights and log, predict with its network, and leave ``done.json``.

    Parameters
    ----------
    spec : FitSpec
        ``weights_of`` names the other fit; both lie in one run, ``RUN/arms/<name of the fit>``.
    store : Store
        The prepared views.
    folder : Path
        Of this fit.
    device : str
        Where to compute.

    Raises
    ------
    FitError
        When the other fit is not done, or was of something else than this one says.
    """
    source = _folder_of(spec, folder)
    _check(spec, source)
    for name in _COPIED:
        write_bytes(folder / name, (source / name).read_bytes())
    classifier = create_classifier(
        spec.network, classes=len(spec.classes), channels=spec.channels, options=spec.options,
        descriptors=spec.descriptors, join=spec.join,
    )  # fmt: skip
    steps.channels_last(classifier)
    steps.quick_kernels(classifier)
    classifier.load_state_dict(read_state(folder / "weights.safetensors"))
    facts = read_json(source / "done.json", name="fit-done")
    write_scores(spec, store, classifier, facts["log_prior_shift"], folder, device)
    write_json(folder / "done.json", {**facts, "seconds": 0.0, "weights_of": spec.weights_of})


def _folder_of(spec: FitSpec, folder: Path) -> Path:
    own = PurePosixPath(spec.name).parts
    if folder.parts[-len(own) :] != own:
        raise FitError(
            f"a fit that takes over {spec.weights_of} lies beside it in a run",
            where=str(folder),
            expected=f"a folder that ends in {spec.name}",
        )
    return folder.parents[len(own) - 1] / str(spec.weights_of)


def _check(spec: FitSpec, source: Path) -> None:
    if not (source / "done.json").is_file():
        raise FitError(
            f"it takes over the network of {spec.weights_of}, which is not trained",
            where=spec.name,
            expected=str(source / "done.json"),
            hint="run that fit first; if it failed, its failed.json says why",
        )
    other = FitSpec.read(source / "fit.yaml").model_dump(mode="json")
    if other["weights_of"] is not None:
        raise FitError(
            f"{spec.weights_of} has no network of its own",
            where=spec.name,
            expected=f"weights_of: {other['weights_of']}",
        )
    ours = spec.model_dump(mode="json")
    differing = [name for name in ours if name not in _FREE and ours[name] != other[name]]
    if differing:
        raise FitError(
            f"it takes over the network of {spec.weights_of}, which was trained with another `{differing[0]}`",
            where=spec.name,
            expected=f"the same specification but for {', '.join(sorted(_FREE))}",
            hint="remove the other fit's folder to train it anew, or train this one",
        )
