"""The fused bundle: a folder that is a model of several arms (contract 3).

``bundle.yaml`` (what it is), ``members/<arm>/`` (bundles of their own, whose part n was trained on one half of a
fold), ``fusion/<n>/`` (the head that belongs to part n of every member) and ``card.md`` (for people). Nothing in it is
executed when it is read, and every file's SHA-256 is checked when it is loaded.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from isthmus.errors import BundleError, InputError
from isthmus.files import new_folder, read_yaml, sha256_of_file, write_text, write_yaml
from isthmus.models.bundle import LARGEST_YAML, no_bundle, read_bundle, write_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.coded_head import CodedHead
from isthmus.models.fused_bundle_spec import FusedBundleSpec, HeadFacts
from isthmus.models.fused_card import render_fused_card
from isthmus.models.fused_columns import PERFUSION, member_of
from isthmus.models.skops_file import LARGEST_FILE
from isthmus.statistics.perfusion_features import FEATURES
from isthmus.tables.coded_columns import CLINICAL

if TYPE_CHECKING:
    from torch import Tensor

_HEAD_FILES: Final = ("head.json", "columns.json")
_AGAIN: Final = "copy the bundle again from where it came"
Member = tuple[BundleSpec, Sequence[Mapping[str, "Tensor"]]]
"""A member's specification and the state dictionaries of its parts."""


def write_fused_bundle(
    folder: Path, spec: FusedBundleSpec, members: Mapping[str, Member], heads: Sequence[CodedHead]
) -> FusedBundleSpec:
    """Write a fused bundle atomically.

    Parameters
    ----------
    folder : Path
        May not exist, or must be empty.
    spec : FusedBundleSpec
        Hashes are filled in.
    members : mapping
        For each of ``spec.members`` its bundle, with one part a head.
    heads : sequence of CodedHead
        In the order of ``spec.heads``.

    Returns
    -------
    FusedBundleSpec
        As written.

    Raises
    ------
    BundleError
        When members, parts and heads do not match.
    OutputError
        When the folder has something in it or cannot be written.
    """
    if len(heads) != len(spec.heads) or set(members) != {member.arm for member in spec.members}:
        raise BundleError(f"{len(heads)} heads and members {', '.join(members)} do not match", where=spec.name)
    with new_folder(Path(folder)) as partial:
        written = []
        for member in spec.members:
            own, states = members[member.arm]
            write_bundle(partial / "members" / member.arm, own, states)
            written.append(member.model_copy(update={"sha256": sha256_of_file(_member_yaml(partial, member.arm))}))
        stated = []
        for number, (head, facts) in enumerate(zip(heads, spec.heads, strict=True)):
            place = head_folder(partial, number)
            head.write(place)
            hashes = {name: sha256_of_file(place / name) for name in _HEAD_FILES}
            stated.append(facts.model_copy(update={"sha256": hashes}))
        complete = spec.model_copy(update={"members": written, "heads": stated})
        write_yaml(partial / "bundle.yaml", complete.model_dump(mode="json"))
        write_text(partial / "card.md", render_fused_card(complete, [members[m.arm][0] for m in spec.members]))
    return complete


def is_fused_bundle(folder: Path) -> bool:
    """Whether a folder says that it is a fused bundle; of another kind, or none at all, False."""
    path = Path(folder) / "bundle.yaml"
    if not path.is_file() or path.stat().st_size > LARGEST_YAML:
        return False
    with path.open(encoding="utf-8", errors="replace") as lines:
        return any(line.startswith("format:") and "isthmus-fused-bundle/" in line for line in lines)


def member_folder(folder: Path, arm: str) -> Path:
    """Return where a member's own bundle lies."""
    return Path(folder) / "members" / arm


def head_folder(folder: Path, number: int) -> Path:
    """Return where a head lies."""
    return Path(folder) / "fusion" / str(number)


def read_fused_bundle(folder: Path) -> FusedBundleSpec:
    """Read and check ``bundle.yaml`` and the members' own; parts and heads are only looked for.

    Raises
    ------
    BundleError
        When the folder is no fused bundle, is of a newer major version, incomplete, altered, or contradicts itself.
    """
    folder = Path(folder)
    path = folder / "bundle.yaml"
    if not path.is_file():
        raise no_bundle(folder)
    _bounded(path, LARGEST_YAML)
    try:
        spec = FusedBundleSpec.model_validate(read_yaml(path, name="fused-bundle"))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'bundle'}: {one['msg']}" for one in error.errors())
        raise BundleError(f"bundle.yaml is not valid: {faults}", where=str(path)) from error
    except InputError as error:
        raise BundleError(error.what, where=error.where, expected=error.expected, hint=error.hint) from error
    for member in spec.members:
        _unaltered(_member_yaml(folder, member.arm), member.sha256, LARGEST_YAML)
        _check_member(spec, member.arm, read_bundle(member_folder(folder, member.arm)))
    for number, facts in enumerate(spec.heads):
        if set(facts.sha256) != set(_HEAD_FILES):
            raise BundleError(f"head {number} lacks a sha256", where=str(path))
    return spec


def load_heads(folder: Path, spec: FusedBundleSpec) -> list[CodedHead]:
    """Load the heads after checking their hashes.

    Raises
    ------
    BundleError
        When a file is absent, altered or too large, or heads and members contradict each other; names the file.
    """
    return [_load_head(head_folder(folder, number), facts, spec) for number, facts in enumerate(spec.heads)]


def _load_head(place: Path, facts: HeadFacts, spec: FusedBundleSpec) -> CodedHead:
    for name, sha256 in facts.sha256.items():
        _unaltered(place / name, sha256, LARGEST_FILE)
    found = CodedHead.read(place)
    seen = list(dict.fromkeys(member_of(name) for name in found.head.columns))
    measured = [PERFUSION] if spec.perfusion else []
    known = [*(member.arm for member in spec.members), *measured, *([CLINICAL] if found.terms else [])]
    features = [name for name in found.head.columns if member_of(name) == PERFUSION]
    if spec.perfusion and features != [f"{PERFUSION}:{name}" for name in FEATURES]:
        raise BundleError("this head knows other features of perfusion than are measured", where=str(place))
    if seen != known:
        raise BundleError(
            f"this head joins {', '.join(seen)}", where=str(place), expected=", ".join(known), hint=_AGAIN
        )
    if found.head.where_absent != spec.where_absent:
        raise BundleError("head and bundle differ in where_absent", where=str(place), hint=_AGAIN)
    return found


def _check_member(spec: FusedBundleSpec, arm: str, own: BundleSpec) -> None:
    if len(own.parts) != len(spec.heads):
        raise BundleError(f"member {arm} has {len(own.parts)} parts", where=spec.name, expected=f"{len(spec.heads)}")
    said = spec.member(arm)
    if (own.target, [*own.classes.items()], own.requires) != (spec.target, [*spec.classes.items()], said.requires):
        raise BundleError(
            f"member {arm} answers another question than its fused bundle, or needs other pictures", where=spec.name
        )


def _unaltered(path: Path, sha256: str, most: int) -> None:
    if not path.is_file():
        raise BundleError("a part is missing", where=str(path), hint=_AGAIN)
    _bounded(path, most)
    if sha256_of_file(path) != sha256:
        raise BundleError("this part was altered or damaged", where=str(path), hint=_AGAIN)


def _bounded(path: Path, most: int) -> None:
    if path.stat().st_size > most:
        raise BundleError(f"this file has {path.stat().st_size} bytes", where=str(path), expected=f"at most {most}")


def _member_yaml(folder: Path, arm: str) -> Path:
    return member_folder(folder, arm) / "bundle.yaml"
