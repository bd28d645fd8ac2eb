"""Which files a bundle consists of. What is none of them does not travel with it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from isthmus.errors import BundleError
from isthmus.files import sha256_of_file
from isthmus.models.bundle import read_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle import is_fused_bundle, member_folder, read_fused_bundle
from isthmus.models.fused_bundle_spec import FusedBundleSpec

AnyBundleSpec = BundleSpec | FusedBundleSpec

_SINGLE: Final = (
    r"bundle\.yaml|card\.md|parts/[A-Za-z0-9_-]+\.safetensors|out_of_distribution\.safetensors"
    r"|engines\.yaml|model(-int8)?\.onnx"
)
_FUSED: Final = rf"fusion/\d+/((head|columns)\.json|classifier\.skops)|members/[^/]+/({_SINGLE})|{_SINGLE}"
_AGAIN: Final = "copy the bundle again from where it came"


def read_any_bundle(folder: Path) -> tuple[AnyBundleSpec, dict[str, BundleSpec]]:
    """Return what a bundle says, and what the members of a fused one say.

    Raises
    ------
    BundleError
        When the folder is no bundle, is incomplete, or contradicts itself.
    """
    if not is_fused_bundle(folder):
        return read_bundle(folder), {}
    spec = read_fused_bundle(folder)
    return spec, {member.arm: read_bundle(member_folder(folder, member.arm)) for member in spec.members}


def is_file_of_a_bundle(name: str, *, fused: bool) -> bool:
    """Whether a path inside a folder, with '/', may be a bundle's."""
    return re.fullmatch(_FUSED if fused else _SINGLE, name) is not None


def hashes_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a bundle, sorted by path, compared with what ``bundle.yaml`` says.

    Raises
    ------
    BundleError
        When a file is none of a bundle's, is a link, is missing or was altered.
    """
    spec, members = read_any_bundle(folder)
    found = {}
    for name in sorted(_inside(folder)):
        if not is_file_of_a_bundle(name, fused=isinstance(spec, FusedBundleSpec)):
            raise BundleError(
                "a file lies here that is no part of a bundle",
                where=str(folder / name),
                expected="bundle.yaml, card.md, parts/ …",
                hint="move it away",
            )
        found[name] = sha256_of_file(folder / name)
    for name, stated in _stated(spec, members):
        if found.get(name) != stated:
            raise BundleError("a file is missing or was altered", where=str(folder / name), hint=_AGAIN)
    return found


def _inside(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise BundleError("a link is no part of a bundle", where=str(path), hint="copy what it points to")
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _stated(spec: AnyBundleSpec, members: dict[str, BundleSpec]) -> Iterator[tuple[str, str]]:
    if isinstance(spec, BundleSpec):
        yield from _stated_of_one(spec, "")
        return
    for member in spec.members:
        yield f"members/{member.arm}/bundle.yaml", member.sha256
        yield from _stated_of_one(members[member.arm], f"members/{member.arm}/")
    for number, head in enumerate(spec.heads):
        for name, sha256 in head.sha256.items():
            yield f"fusion/{number}/{name}", sha256


def _stated_of_one(spec: BundleSpec, before: str) -> Iterator[tuple[str, str]]:
    yield from ((before + part.file, part.sha256) for part in spec.parts)
    if spec.out_of_distribution is not None:
        yield before + spec.out_of_distribution.file, spec.out_of_distribution.sha256
