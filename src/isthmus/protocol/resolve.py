"""From a protocol file to one resolved protocol: its layers merged, its keys checked, in words where they are wrong.

The layers are ``defaults < arm < profile < --set``: mappings merge, lists replace. The resolved protocol has
no layers left; it is what a run folder keeps as ``protocol.yaml``.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from isthmus.errors import ProtocolError, did_you_mean
from isthmus.files import read_yaml
from isthmus.protocol.schema import Protocol
from isthmus.protocol.wrong_keys import refusal_of
from isthmus.report.clinical_terms import CLINICAL

SHIPPED = Path(__file__).parent / "shipped"
PROFILES = ("paper", "small", "smoke")


def shipped_protocols() -> dict[str, Path]:
    """Return the names and files of the protocols that come with the package."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def find_protocol(name: str) -> Path:
    """Return the file of a shipped protocol, or ``name`` itself where it is a YAML file.

    Raises
    ------
    ProtocolError
        When it is neither; the message gives the nearest shipped name.
    """
    shipped = shipped_protocols()
    if name in shipped:
        return shipped[name]
    if Path(name).suffix in (".yaml", ".yml"):
        if Path(name).is_file():
            return Path(name)
        raise ProtocolError("no such protocol file", where=name)
    raise ProtocolError(
        f"no protocol is called {name!r}",
        expected=f"{', '.join(shipped)}, or a .yaml file",
        hint=did_you_mean(name, shipped),
    )


def resolve_protocol(name: str, profile: str = "paper", settings: Iterable[str] = ()) -> Protocol:
    """Read a protocol and merge its layers.

    Parameters
    ----------
    name : str
        A shipped name or a YAML file.
    profile : str
        ``paper``, ``small`` or ``smoke``.
    settings : iterable of str
        ``key=value`` pairs of ``--set``; keys are dotted paths such as ``defaults.train.epochs`` or
        ``arms.resnet34.options.width``, values are YAML.

    Returns
    -------
    Protocol
        With no layers left.

    Raises
    ------
    ProtocolError
        For an unknown key (with the nearest right name), a wrong value or an unknown profile.
    """
    path = find_protocol(name)
    written = read_yaml(path, name="protocol")
    profiles = written.pop("profiles", {}) or {}
    if profile != "paper" and profile not in profiles:
        raise ProtocolError(
            f"protocol {path.stem} has no profile {profile!r}", expected=", ".join(["paper", *profiles])
        )
    settings = list(settings)
    layers = [profiles.get(profile) or {}, *(_setting(text) for text in settings)]
    places = [path.name, *(f"--set {text.partition('=')[0].strip()}" for text in settings)]
    merged = copy.deepcopy(written)
    defaults = merged.pop("defaults", {}) or {}
    arms = merged.get("arms") or {}
    if not isinstance(arms, dict):
        raise ProtocolError("arms must be a mapping from names to arms", where=path.name)
    for layer, place in zip(layers, places, strict=True):
        _check_layer(layer, arms, place)
    resolved_arms = {}
    for arm, own in arms.items():
        value = deep_merge(defaults, own or {})
        for layer in layers:
            value = deep_merge(value, layer.get("defaults") or {})
            value = deep_merge(value, (layer.get("arms") or {}).get(arm) or {})
        resolved_arms[arm] = value
    for layer in layers:
        merged = deep_merge(merged, {key: value for key, value in layer.items() if key not in ("defaults", "arms")})
    only = merged.pop("only", None)
    merged |= {"arms": resolved_arms, "profile": profile}
    protocol = _among(validate(merged, path.name, settings), path.name)
    if only is None:
        return protocol
    return with_arms(protocol, only, "--arms" if any(text.startswith("only=") for text in settings) else path.name)


def _check_layer(layer: Mapping[str, Any], arms: Mapping[str, Any], where: str) -> None:
    """Refuse a profile or a `--set` that names an arm there is not, or puts a value where keys belong."""
    own = layer.get("arms") or {}
    parts = {"defaults": layer.get("defaults"), "arms": own}
    parts |= {f"arms.{arm}": value for arm, value in own.items()} if isinstance(own, Mapping) else {}
    for place, value in parts.items():
        if value is not None and not isinstance(value, Mapping):
            raise ProtocolError(
                f"{place} is {value!r}", where=where, expected="keys with values", hint=f"for example {place}.…=…"
            )
    for arm in own:
        if arm not in arms:
            raise ProtocolError(
                f"no arm is called {arm!r}", where=where, expected=", ".join(arms), hint=did_you_mean(arm, arms)
            )


def _among(protocol: Protocol, where: str) -> Protocol:
    """Return the protocol with those candidates of its arms that `select.among` names."""
    names = protocol.select.among
    if names is None:
        return protocol
    known = list(dict.fromkeys(name for arm in protocol.arms.values() for name in arm.candidates))
    for name in names:
        if name not in known:
            raise ProtocolError(
                f"select.among names {name!r}, which is no arm's candidate", where=where, expected=", ".join(known),
                hint=did_you_mean(name, known),
            )  # fmt: skip
    arms = {}
    for key, arm in protocol.arms.items():
        left = {name: one for name, one in arm.candidates.items() if name in names}
        if arm.candidates and not left:
            raise ProtocolError(f"select.among leaves arm {key} no candidate", where=where)
        first = dict(next(iter(left.values()))) if left else {}
        arms[key] = arm.model_copy(update={**first, "candidates": left}) if left else arm
    return protocol.model_copy(update={"arms": arms})


def with_arms(protocol: Protocol, only: object, where: str) -> Protocol:
    """Return the protocol with the arms that `only` names, in the protocol's order.

    What names arms to look at (`explain.arms`, `leak`, `secondary`) is narrowed with them; the primary contrast stays.

    Raises
    ------
    ProtocolError
        When `only` is no list of the protocol's arms, or leaves out an arm of the primary contrast.
    """
    if not isinstance(only, list) or not only:
        raise ProtocolError(f"only is {only!r}", where=where, expected="a list of arms")
    for arm in only:
        if arm not in protocol.names:
            raise ProtocolError(
                f"no arm is called {arm!r}", where=where, expected=", ".join(protocol.names),
                hint=did_you_mean(str(arm), protocol.names),
            )  # fmt: skip
    for arm in only:
        for source in _sources(protocol, arm):
            if source not in only:
                raise ProtocolError(
                    f"arm {arm} takes the networks of {source}, which is not among the chosen arms",
                    where=where,
                    expected=f"{source} and {arm}",
                )
    primary = [protocol.primary.arm, protocol.primary.against]
    absent = [arm for arm in primary if arm not in only]
    if absent:
        raise ProtocolError(
            f"{' and '.join(absent)} of the primary contrast are not among the chosen arms"
            if len(absent) > 1
            else f"{absent[0]} of the primary contrast is not among the chosen arms",
            where=where,
            expected=" and ".join(primary),
            hint="choose them too, or name another contrast with --set primary.arm=… --set primary.against=…",
        )
    return narrowed(protocol, only)


def _sources(protocol: Protocol, name: str) -> list[str]:
    """Return the arms whose networks an arm or a fusion takes."""
    if name in protocol.fusions:
        return protocol.fusions[name].fuse
    source = protocol.arms[name].networks_of if name in protocol.arms else None
    return [] if source is None else [source]


def narrowed(protocol: Protocol, arms: Iterable[str]) -> Protocol:
    """Return the protocol with these of its arms and fusions, wherever it names them but in the primary contrast."""
    chosen = set(arms)
    kept = {arm: content for arm, content in protocol.arms.items() if arm in chosen}
    fusions = {key: fusion for key, fusion in protocol.fusions.items() if key in chosen and set(fusion.fuse) <= chosen}
    clinical = protocol.clinical if CLINICAL in chosen else None
    left = [*kept, *fusions, *([CLINICAL] if clinical else [])]
    explained = [arm for arm in protocol.explain.arms if arm in kept]
    leak = protocol.leak if protocol.leak and protocol.leak.arm in kept else None
    explain = protocol.explain.model_copy(update={"arms": explained})
    secondary = [
        contrast.model_copy(update={"against": against})
        for contrast in protocol.secondary
        if contrast.arm in left and (against := [arm for arm in contrast.against if arm in left])
    ]
    changed = {
        "arms": kept,
        "fusions": fusions,
        "clinical": clinical,
        "explain": explain,
        "leak": leak,
        "secondary": secondary,
    }
    return protocol.model_copy(update=changed)


def validate(content: Mapping[str, Any], where: str, settings: Sequence[str] = ()) -> Protocol:
    """Check a resolved protocol; what was typed behind `--set` is named as it was typed.

    Raises
    ------
    ProtocolError
        With the first wrong key or value; an unknown key is answered with the nearest right one.
    """
    try:
        return Protocol.model_validate(content)
    except ValidationError as error:
        raise refusal_of(error, Protocol, where, settings) from error


def deep_merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings: mappings merge key by key, everything else (lists too) is replaced.

    Examples
    --------
    >>> deep_merge({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}})
    {'a': {'b': 1, 'c': [3]}}
    """
    merged = copy.deepcopy(dict(below))
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = deep_merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _setting(text: str) -> dict[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise ProtocolError(f"--set {text!r} is not key=value", hint="for example --set defaults.train.epochs=20")
    try:
        content: Any = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ProtocolError(f"the value of --set {text!r} is not YAML", hint="quote it") from error
    for step in reversed(key.strip().split(".")):
        content = {step: content}
    return dict(content)
