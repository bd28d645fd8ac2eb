"""The published weight files that Isthmus knows, the folder that keeps them, and the download that checks them.

Importing this module imports no torch. Nothing is downloaded unless :func:`fetch` is called with a name.
"""

import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import WeightsError
from isthmus.files import atomic_path, sha256_of_file
from isthmus.models.registry import nearest

LARGEST = 2 * 1024**3
"""Bytes above which a file is no weight file that Isthmus would read or download."""

_TORCHVISION = "https://download.pytorch.org/models/"
_EFFICIENTNET = "https://github.com/lukemelas/EfficientNet-PyTorch/releases/download/1.0/"
_IMAGENET = "trained on ImageNet-1k, whose terms allow non-commercial research"
_KINETICS = "trained on Kinetics-400: links to videos that are others', for non-commercial research"
_LICENCE = f"BSD-3-Clause (torchvision); {_IMAGENET}"


@dataclass(frozen=True)
class OfficialWeights:
    """A published weight file.

    Parameters
    ----------
    name, network : str
        Its name here, and the network of the registry that it fits.
    address : str
        Where its publisher keeps it.
    sha256_prefix : str
        The first digits of its SHA-256, as the publisher gives them in the file's name.
    origin, licence : str
        For the report and the bundle.
    """

    name: str
    network: str
    address: str
    sha256_prefix: str
    origin: str
    licence: str

    @property
    def file(self) -> str:
        """The publisher's name of the file."""
        return self.address.rpartition("/")[2]


def _torchvision(network: str, file: str, version: str) -> OfficialWeights:
    return OfficialWeights(
        name=f"{network}_imagenet",
        network=network,
        address=_TORCHVISION + file,
        sha256_prefix=file.removesuffix(".pth").rpartition("-")[2],
        origin=f"torchvision {network} IMAGENET1K_{version} ({file})",
        licence=_LICENCE,
    )


OFFICIAL: Mapping[str, OfficialWeights] = {
    entry.name: entry
    for entry in (
        _torchvision("resnet18", "resnet18-f37072fd.pth", "V1"),
        _torchvision("resnet34", "resnet34-b627a593.pth", "V1"),
        _torchvision("resnet50", "resnet50-0676ba61.pth", "V1"),
        _torchvision("mobilenet_v2", "mobilenet_v2-b0353104.pth", "V1"),
        _torchvision("alexnet", "alexnet-owt-7be5be79.pth", "V1"),
        _torchvision("vgg16", "vgg16-397923af.pth", "V1"),
        _torchvision("googlenet", "googlenet-1378be20.pth", "V1"),
        _torchvision("densenet121", "densenet121-a639ec97.pth", "V1"),
        _torchvision("densenet169", "densenet169-b2777c0a.pth", "V1"),
        _torchvision("densenet201", "densenet201-c1103571.pth", "V1"),
        OfficialWeights(
            name="efficientnet_b0_imagenet",
            network="efficientnet_b0",
            address=_EFFICIENTNET + "efficientnet-b0-355c32eb.pth",
            sha256_prefix="355c32eb",
            origin="EfficientNet-PyTorch 1.0, converted from the authors' TensorFlow (efficientnet-b0-355c32eb.pth)",
            licence=f"Apache-2.0 (EfficientNet-PyTorch); {_IMAGENET}",
        ),
        _torchvision("convnext_tiny", "convnext_tiny-983f1562.pth", "V1"),
        OfficialWeights(
            name="r2plus1d_18_kinetics",
            network="r2plus1d_18",
            address=_TORCHVISION + "r2plus1d_18-91a641e6.pth",
            sha256_prefix="91a641e6",
            origin="torchvision r2plus1d_18 KINETICS400_V1 (r2plus1d_18-91a641e6.pth)",
            licence=f"BSD-3-Clause (torchvision); {_KINETICS}",
        ),
    )
}


def cache_folder(cache: Path | None = None) -> Path:
    """Return where weight files are kept: ``cache``, else ``$ISTHMUS_WEIGHTS``, else the user's cache folder."""
    if cache is not None:
        return Path(cache)
    named = os.environ.get("ISTHMUS_WEIGHTS")
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "isthmus" / "weights"


def official(name: str) -> OfficialWeights:
    """Return an official file by name.

    Raises
    ------
    WeightsError
        When there is none of that name; says the nearest.
    """
    if name not in OFFICIAL:
        like = nearest(name, OFFICIAL)
        raise WeightsError(
            f"there are no weights {name!r}",
            expected=", ".join(OFFICIAL) + ", an imported name, or a .pth or .safetensors file",
            hint=f"did you mean {like!r}?" if like else "see `isthmus weights list`",
        )
    return OFFICIAL[name]


def fetch(
    name: str,
    cache: Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    *,
    address: str | None = None,
) -> Path:
    """Download an official file into the cache, check its hash, and return its path.

    Parameters
    ----------
    name : str
        Of :data:`OFFICIAL`.
    cache : Path, optional
        See :func:`cache_folder`.
    progress : callable, optional
        Called with bytes so far and, where the server says it, bytes in all.
    address : str, optional
        Another place of the same file, such as a hospital's mirror; the hash is checked all the same.

    Raises
    ------
    WeightsError
        When the name is unknown, the address does not answer, or what came is not the expected file.
    """
    known = official(name)
    target = cache_folder(cache) / known.file
    if target.is_file() and sha256_of_file(target).startswith(known.sha256_prefix):
        return target
    offline = f"on a machine without internet: copy {known.file} here and `isthmus weights import {known.file}`"
    digest = hashlib.sha256()
    with atomic_path(target) as temporary:
        try:
            _download(address or known.address, temporary, digest.update, progress)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ValueError) as error:
            raise WeightsError(
                f"the download failed: {getattr(error, 'reason', error)}", where=address or known.address, hint=offline
            ) from error
        if not digest.hexdigest().startswith(known.sha256_prefix):
            raise WeightsError(
                f"what came is not the official file: its SHA-256 begins with {digest.hexdigest()[:8]}",
                where=address or known.address,
                expected=known.sha256_prefix,
                hint="something between here and the publisher alters downloads; " + offline,
            )
    return target


def _download(
    address: str,
    target: Path,
    update: Callable[[bytes], None],
    progress: Callable[[int, int | None], None] | None,
) -> None:
    if not address.startswith(("https://", "http://", "file://")):
        raise ValueError("an address begins with https://, http:// or file://")
    with urllib.request.urlopen(address, timeout=60) as answer, target.open("wb") as stream:
        length = answer.headers.get("Content-Length")
        total = int(length) if length and length.isdigit() else None
        done = 0
        while block := answer.read(1 << 20):
            done += len(block)
            if done > LARGEST:
                raise ValueError(f"more than {LARGEST} bytes came")
            stream.write(block)
            update(block)
            if progress is not None:
                progress(done, total)
