"""Networks by name. Importing it imports no torch: a network is imported when it is built."""

import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from isthmus.errors import IsthmusError, ProtocolError
from isthmus.files import sha256_of_file
from isthmus.models.network_card import NetworkCard
from isthmus.models.network_cards import cards

if TYPE_CHECKING:
    from isthmus.models.classifier import Classifier

HEAD: Final = "head"
HEADS: Final = ("plain", "ordinal")
"""The option that every network has, and its values: classes beside one another, or in an order."""

__all__ = ["NetworkCard", "card", "cards", "create", "is_own_file", "nearest", "own_file_sha256"]


def card(name: str) -> NetworkCard:
    """Return the card of one network.

    Raises
    ------
    ProtocolError
        When there is none of that name; says the nearest.
    """
    found = cards().get(name)
    if found is None:
        like = nearest(name, cards())
        raise ProtocolError(
            f"there is no network {name!r}",
            expected=", ".join(cards()) + ", or my_net.py:build",
            hint=f"did you mean {like!r}?" if like else "see `isthmus models`",
        )
    return found


def create(name: str, *, classes: int = 2, channels: int = 1, **options: Any) -> "Classifier":
    """Build a network with fresh random weights.

    Parameters
    ----------
    name : str
        A name of :func:`cards`, or ``path/my_net.py:build`` for a function of the user's own with the arguments
        ``(classes, channels, **options)`` that returns a :class:`~isthmus.models.classifier.Classifier`.
    classes : int
        K, at least 2.
    channels : int
        C of the picture, 1 or 3.
    **options
        Of the network, as its card lists them. ``head="ordinal"`` is taken of every network that names its last linear
        layer: its classes are then ordered (:mod:`isthmus.models.ordinal`).

    Returns
    -------
    Classifier
        In training mode, on the CPU, float32.

    Raises
    ------
    ProtocolError
        When there is no such network, option or file; names the nearest right one.

    Examples
    --------
    >>> create("thyronet_x4", classes=2, channels=1, width=16).network
    'thyronet_x4'
    """
    if classes < 2:
        raise ProtocolError(f"{classes} classes", where=name, expected="at least 2")
    if channels < 1:
        raise ProtocolError(f"{channels} channels", where=name, expected="1 or 3")
    own = {option: value for option, value in options.items() if option != HEAD}
    if options.get(HEAD, HEADS[0]) not in HEADS:
        raise ProtocolError(f"there is no head {options[HEAD]!r}", where=name, expected=" or ".join(HEADS))
    build = _own_builder(name) if is_own_file(name) else _builder(name, own)
    try:
        classifier = build(classes=classes, channels=channels, **own)
    except (IsthmusError, ImportError):
        raise
    except Exception as error:
        raise ProtocolError(
            f"the network could not be built: {type(error).__name__}: {error}", where=f"{name} with {options}"
        ) from error
    return _checked(classifier, name, classes, options)


def is_own_file(name: str) -> bool:
    """Return whether a network's name points to a file of the user's own (``my_net.py:build``)."""
    return ".py:" in name or name.endswith(".py")


def own_file_sha256(name: str) -> str:
    """Return the SHA-256 of the file that ``my_net.py:build`` names.

    Raises
    ------
    ProtocolError
        When there is no such file.
    """
    return sha256_of_file(_own_path(name))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name most like ``name``, or None where none is like it."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return found[0] if found else None


def _builder(name: str, options: Mapping[str, Any]) -> Callable[..., Any]:
    known = card(name)
    for option in options:
        if option not in known.options:
            like = nearest(option, known.options)
            raise ProtocolError(
                f"{name} has no option {option!r}",
                expected=", ".join(known.options),
                hint=f"did you mean {like!r}?" if like else f"see `isthmus models {name}`",
            )
    module, function = known.builder.split(":")
    try:
        return getattr(importlib.import_module(module), function)  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        raise ProtocolError(
            f"{name} needs the package {error.name!r}, which is not installed",
            expected=", ".join(known.requires),
            hint="pip install 'isthmus[train]'",
        ) from error


def _own_path(name: str) -> Path:
    path = Path(name.rpartition(":")[0] if ".py:" in name else name)
    if not path.is_file():
        raise ProtocolError("no such file for a network of your own", where=str(path), expected="path/my_net.py:build")
    return path


def _own_builder(name: str) -> Callable[..., Any]:
    if ".py:" not in name:
        raise ProtocolError("the function is not named", where=name, expected=f"{name}:build")
    path, function = _own_path(name), name.rpartition(":")[2]
    module = _import_file(path)
    build = getattr(module, function, None)
    if not callable(build):
        there = [key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_")]
        raise ProtocolError(
            f"no function {function!r} in this file", where=str(path), expected=", ".join(there) or "a function"
        )
    return build  # type: ignore[no-any-return]


def _import_file(path: Path) -> ModuleType:
    name = f"isthmus_own_{path.stem}_{sha256_of_file(path)[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ProtocolError("this file cannot be imported", where=str(path), expected="a Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ProtocolError(
            f"importing your network failed: {type(error).__name__}: {error}", where=str(path)
        ) from error
    return module


def _checked(classifier: Any, name: str, classes: int, options: Mapping[str, Any]) -> "Classifier":
    from torch.nn.parameter import is_lazy

    from isthmus.models.classifier import Classifier

    if not isinstance(classifier, Classifier):
        raise ProtocolError(
            f"the function returned {type(classifier).__name__}", where=name, expected="an isthmus Classifier"
        )
    if any(is_lazy(parameter) for parameter in classifier.parameters()):
        raise ProtocolError(
            "the network has layers whose sizes are not known before its first picture (lazy ones)",
            where=name,
            expected="layers with the numbers of their channels, which follow from `channels` and `classes`",
        )
    if classifier.classes != classes:
        raise ProtocolError(f"the network says {classifier.classes} classes", where=name, expected=str(classes))
    classifier.network, classifier.options = name, dict(options)
    if options.get(HEAD) == "ordinal":
        from isthmus.models.ordinal import with_ordinal_head

        return with_ordinal_head(classifier)
    return classifier
