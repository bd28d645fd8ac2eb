"""Whatever kind of bundle a folder is, in memory."""

from collections.abc import Mapping
from pathlib import Path

from isthmus.errors import InputError
from isthmus.inference.engines import AUTO
from isthmus.inference.fused_predictor import FusedPredictor, OwnNetworks, load_fused_bundle
from isthmus.inference.load import load_bundle as load_single_bundle
from isthmus.inference.predictor import Predictor
from isthmus.models.bundle import read_bundle
from isthmus.models.fused_bundle import is_fused_bundle, read_fused_bundle


def load_bundle(
    folder: str | Path, device: str = "auto", *, own_network: OwnNetworks = None, engine: str = AUTO
) -> Predictor | FusedPredictor:
    """Load a bundle once, for any number of pictures or cases.

    Parameters
    ----------
    folder : str or Path
        A bundle of one arm, or of several that were fused.
    device : str
        ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    own_network : Path or mapping, optional
        The Python file of a network of the user's own; of a fused bundle also one for each member that has such. A
        bundle never runs one by itself.
    engine : str
        As for :func:`isthmus.inference.load.load_bundle`.

    Returns
    -------
    Predictor or FusedPredictor

    Raises
    ------
    BundleError
        When the folder is no bundle, is incomplete or altered.
    InputError
        When the device is not there.

    Examples
    --------
    >>> predictor = load_bundle("runs/olnm2025/arms/combined/bundle")  # doctest: +SKIP
    >>> case = Case({"bmode": [View("still.png", mask="mask.png")]}, {"age_years": 44})  # doctest: +SKIP
    >>> predictor.predict([case])[0].notes  # doctest: +SKIP
    ('ceus_video is absent: it counts as that of an average training case',)
    """
    if is_fused_bundle(Path(folder)):
        return load_fused_bundle(folder, device, own_networks=own_network, engine=engine)
    if isinstance(own_network, Mapping):
        raise InputError("a file for each member was given, and the bundle is of one arm", expected="one file")
    return load_single_bundle(folder, device, own_network=own_network, engine=engine)


def modalities_of(folder: Path) -> list[str]:
    """Return what a bundle looks at, without loading its networks.

    Raises
    ------
    BundleError
        When the folder is no bundle.
    """
    if not is_fused_bundle(folder):
        return list(read_bundle(folder).requires.modalities)
    members = read_fused_bundle(folder).members
    return list(dict.fromkeys(name for member in members for name in member.requires.modalities))
