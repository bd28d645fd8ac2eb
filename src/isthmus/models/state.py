"""Reading state dictionaries without running anything they contain, and fitting them to a network."""

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isthmus.errors import WeightsError
from isthmus.models.classifier import Classifier
from isthmus.models.inflation import inflate

_SHOWN = 5


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a flat dictionary of tensors from ``.safetensors`` or, with ``weights_only=True``, from ``.pth``.

    Raises
    ------
    WeightsError
        When the file is damaged, holds anything but named tensors, or holds values that are not finite.
    """
    path = Path(path)
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pth(path)
    if not isinstance(state, dict) or not state:
        raise WeightsError("the file holds no parameters", where=str(path), expected="a flat dictionary of tensors")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{name!r} is {type(value).__name__}, not a tensor",
                where=str(path),
                expected="a flat dictionary of tensors (a state_dict)",
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise WeightsError(f"{name!r} holds values that are not finite", where=str(path))
    return state


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"the file cannot be read: {error}", where=str(path), expected="safetensors") from error


def _read_pth(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            "the file is damaged or holds more than tensors, and is not read",
            where=str(path),
            expected="a state_dict that torch.load(…, weights_only=True) takes",
            hint="save model.state_dict() alone, best as .safetensors",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"the file cannot be read: {error}", where=str(path), expected="a state_dict") from error


def fit_state(classifier: Classifier, state: dict[str, Tensor], *, where: str) -> tuple[dict[str, Tensor], list[str]]:
    """Give a file's parameters our names, stem and head.

    Parameters
    ----------
    classifier : Classifier
        Only read.
    state : dict
        Parameters under published names, or under the classifier's own.
    where : str
        The file's name, for messages.

    Returns
    -------
    tuple of dict and list of str
        A dictionary that ``load_state_dict(strict=True)`` takes, and a note for each exception used.

    Raises
    ------
    WeightsError
        Listing parameters that are missing, unknown or of another shape.
    """
    own = classifier.state_dict()
    named, notes = (state, []) if set(state) & set(own) else classifier.from_published(state)
    # Files older than batch norm's counter lack it; it only matters to a momentum of None, which we never use.
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    fresh = _fresh_parts(classifier, named)
    missing, unknown = set(own) - set(named) - counters, set(named) - set(own)
    missing = {name for name in missing if not name.startswith(fresh)}
    if missing or unknown:
        raise WeightsError(
            f"these are not weights of {classifier.network}: {_listed('missing', missing)}, "
            f"{_listed('unknown', unknown)}",
            where=where,
        )
    fitted, inflated = inflate({name: named.get(name, own[name]) for name in own}, own)
    notes = notes + [f"{part[:-1]}: not in the file; it starts from random weights" for part in fresh] + inflated
    notes = notes + _fit_stem(classifier, fitted, own) + _fit_head(classifier, fitted, own)
    wrong = [
        f"{name} {list(value.shape)} instead of {list(own[name].shape)}"
        for name, value in fitted.items()
        if value.shape != own[name].shape
    ]
    if wrong:
        raise WeightsError(
            f"these weights do not fit {classifier.network}: {'; '.join(wrong[:_SHOWN])}"
            + (f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""),
            where=where,
            hint="check the network's options, such as width",
        )
    return fitted, notes


def _fresh_parts(classifier: Classifier, named: dict[str, Tensor]) -> tuple[str, ...]:
    return tuple(part for part in classifier.own_parts if not any(name.startswith(part) for name in named))


def _fit_stem(classifier: Classifier, fitted: dict[str, Tensor], own: dict[str, Tensor]) -> list[str]:
    name = f"{classifier.published_prefix}{classifier.stem_name}.weight"
    if name not in own:
        return []
    found, wanted = fitted[name], own[name]
    if found.ndim != wanted.ndim or found.ndim < 2 or found.shape[1] not in (1, 3):
        return []
    channels = wanted.shape[1]
    if channels == found.shape[1]:
        return []
    summed = found.sum(dim=1, keepdim=True)
    fitted[name] = summed if channels == 1 else (summed / channels).repeat_interleave(channels, dim=1)
    before = "red, green and blue" if found.shape[1] == 3 else "one grey channel"
    if channels == 1:
        return [f"first convolution: the weights of {before} were summed for one grey channel"]
    total = "their sum" if found.shape[1] == 3 else "they"
    return [
        f"first convolution: the weights of {before} became those of {channels} channels: {total} divided by "
        f"{channels}, the same for each, so that {channels} equal channels are answered as one grey picture was"
    ]


def _fit_head(classifier: Classifier, fitted: dict[str, Tensor], own: dict[str, Tensor]) -> list[str]:
    weight, bias = (f"{classifier.published_prefix}{classifier.head_name}.{part}" for part in ("weight", "bias"))
    if weight not in own or bias not in own:
        return []
    found, wanted = fitted[weight], own[weight]
    if found.ndim != 2 or found.shape[0] == wanted.shape[0] or found.shape[1:] != wanted.shape[1:]:
        return []
    fitted[weight], fitted[bias] = wanted, own[bias]
    return [f"last layer: {found.shape[0]} classes in the file, {wanted.shape[0]} here; it starts from random weights"]


def _listed(kind: str, names: set[str]) -> str:
    if not names:
        return f"nothing {kind}"
    shown = ", ".join(sorted(names)[:_SHOWN])
    return f"{len(names)} {kind} ({shown}{', …' if len(names) > _SHOWN else ''})"
