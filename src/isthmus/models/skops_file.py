"""The file of a classifier of scikit-learn: skops's format, which names types instead of pickling them.

Written so that the same classifier gives the same bytes, and read so that nothing is built but what is expected.
"""

import hashlib
import json
import zipfile
from io import BytesIO
from typing import Any

import numpy as np

from isthmus.errors import BundleError

TRUSTED = ("sklearn.tree._tree.Tree",)
"""Types that skops may build beside its own list of scikit-learn's estimators and NumPy's arrays.

A tree is used only after its arrays are checked: compiled code follows its indices unchecked.
"""

LARGEST_FILE = 256 * 1024**2
"""Bytes, packed and unpacked; forests of 1,000 trees over 1,000 patients have some 20 MiB."""

_CLASSIFIERS = (
    "LogisticRegression",
    "SVC",
    "KNeighborsClassifier",
    "RandomForestClassifier",
    "ExtraTreesClassifier",
    "MLPClassifier",
)
_BEGINNING_OF_TIME = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip file can hold."""


def to_skops(model: Any) -> bytes:
    """Return a fitted classifier as skops keeps it, free of what changes from run to run: addresses and the time."""
    import skops.io

    written = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(skops.io.dumps(model))) as packed,
        zipfile.ZipFile(written, "w") as canonical,
    ):
        arrays = {name: packed.read(name) for name in packed.namelist() if name != "schema.json"}
        names = {name: f"{hashlib.sha256(content).hexdigest()[:32]}.npy" for name, content in arrays.items()}
        schema = json.dumps(_without_addresses(json.loads(packed.read("schema.json")), names)).encode()
        contents = {names[name]: content for name, content in arrays.items()} | {"schema.json": schema}
        for name, content in sorted(contents.items()):
            canonical.writestr(zipfile.ZipInfo(name, _BEGINNING_OF_TIME), content, zipfile.ZIP_DEFLATED)
    return written.getvalue()


def _without_addresses(state: Any, names: dict[str, str]) -> Any:
    """Return a schema without ``__id__``, by which equal objects are only built once, and with other file names."""
    if isinstance(state, list):
        return [_without_addresses(one, names) for one in state]
    if not isinstance(state, dict):
        return state
    return {
        key: names[value] if key == "file" and state.get("type") == "numpy" else _without_addresses(value, names)
        for key, value in state.items()
        if key != "__id__"
    }


def from_skops(content: bytes) -> Any:
    """Build a classifier of a known type from its file.

    Raises
    ------
    BundleError
        When it is of another type, unpacks to too much, or could make compiled code read outside its arrays.
    """
    import skops.io

    with zipfile.ZipFile(BytesIO(content)) as packed:
        unpacked = sum(entry.file_size for entry in packed.infolist())
    if unpacked > LARGEST_FILE:
        raise BundleError(f"the classifier unpacks to {unpacked} bytes", expected=f"at most {LARGEST_FILE}")
    model = skops.io.loads(content, trusted=list(TRUSTED))
    kind = type(model).__name__
    if kind not in _CLASSIFIERS or not type(model).__module__.startswith("sklearn."):
        raise BundleError(f"the classifier is a {kind}", expected=" or ".join(_CLASSIFIERS))
    for tree in getattr(model, "estimators_", ()):
        _check_tree(tree.tree_, int(model.n_features_in_))
    if kind == "SVC":
        _check_support(model)
    return model


def _check_tree(tree: Any, features: int) -> None:
    """Refuse a tree whose indices leave its arrays, or that would be walked for ever."""
    nodes = np.arange(tree.node_count)
    inner = tree.children_left != -1
    children = np.stack([tree.children_left, tree.children_right])[:, inner]
    sound = (
        tree.node_count > 0
        and tree.n_features == features
        and bool(((children > nodes[inner]) & (children < tree.node_count)).all())
        and bool(((tree.feature[inner] >= 0) & (tree.feature[inner] < features)).all())
        and tree.value.shape == (tree.node_count, 1, 2)
    )
    if not sound:
        raise BundleError("a tree of the classifier is damaged", hint="copy the bundle again from where it came")


def _check_support(model: Any) -> None:
    """Refuse a support vector machine whose counts and arrays disagree."""
    vectors, counts = np.asarray(model.support_vectors_), np.asarray(model._n_support)
    coefficients = [np.asarray(found).shape for found in (model.dual_coef_, model._dual_coef_)]
    sound = (
        counts.shape == (2,)
        and bool((counts >= 0).all())
        and vectors.shape == (int(counts.sum()), int(model.n_features_in_))
        and coefficients == [(1, len(vectors))] * 2
    )
    if not sound:
        raise BundleError(
            "the classifier's support vectors are damaged", hint="copy the bundle again from where it came"
        )
