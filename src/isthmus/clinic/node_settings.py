"""What a DICOM node is told in its file: who may send, what is taken, where results go, how much of everything.

The file is YAML with the line ``format: isthmus-node/1.0``. A key that is not known, or a value that cannot be, stops
the node before it opens a port, with its place, what stands there and what was expected.
"""

import ipaddress
import re
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from isthmus.errors import InputError, did_you_mean
from isthmus.files import read_yaml

FORMAT = "isthmus-node/1.0"

SopClass = Literal[
    "UltrasoundImageStorage",
    "UltrasoundMultiFrameImageStorage",
    "UltrasoundImageStorageRetired",
    "UltrasoundMultiFrameImageStorageRetired",
    "SecondaryCaptureImageStorage",
    "MultiFrameGrayscaleByteSecondaryCaptureImageStorage",
    "MultiFrameTrueColorSecondaryCaptureImageStorage",
]
SOP_CLASSES: dict[str, str] = {
    "UltrasoundImageStorage": "1.2.840.10008.5.1.4.1.1.6.1",
    "UltrasoundMultiFrameImageStorage": "1.2.840.10008.5.1.4.1.1.3.1",
    "UltrasoundImageStorageRetired": "1.2.840.10008.5.1.4.1.1.6",
    "UltrasoundMultiFrameImageStorageRetired": "1.2.840.10008.5.1.4.1.1.3",
    "SecondaryCaptureImageStorage": "1.2.840.10008.5.1.4.1.1.7",
    "MultiFrameGrayscaleByteSecondaryCaptureImageStorage": "1.2.840.10008.5.1.4.1.1.7.2",
    "MultiFrameTrueColorSecondaryCaptureImageStorage": "1.2.840.10008.5.1.4.1.1.7.4",
}
_SOP_CLASSES_TAKEN: tuple[SopClass, ...] = get_args(SopClass)[:4]


def _is_title(text: str) -> str:
    # PS3.5 6.2, AE: 16 characters of the default repertoire, no backslash or control character, no outer spaces.
    if not re.fullmatch(r"[ -\[\]-~]{1,16}", text) or text != text.strip():
        raise ValueError("an AE title: 1 to 16 plain characters without a backslash or outer spaces")
    return text


def _is_network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError("an address or a network, such as 10.1.2.3 or 10.1.2.0/24") from error
    return text


def _is_address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise ValueError("an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them") from error
    return text


Title = Annotated[str, AfterValidator(_is_title)]
Network = Annotated[str, AfterValidator(_is_network)]
Port = Annotated[int, Field(ge=1, le=65535)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:\-]{1,253}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$")]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Listen(_Said):
    """Where the node listens; port 0 takes a free one."""

    address: Annotated[str, AfterValidator(_is_address)] = "127.0.0.1"
    port: int = Field(11112, ge=0, le=65535)


class Peer(_Said):
    """Who may open an association: a title, from these addresses.

    ``port`` (and ``address``, where ``hosts`` is not one address) is where storage commitment is reported to, and where
    studies are asked for.
    """

    ae_title: Title
    hosts: Annotated[list[Network], Field(min_length=1)]
    address: HostName | None = None
    port: Port | None = None
    tls: bool = False

    @cached_property
    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """Return the addresses that it may come from."""
        return tuple(ipaddress.ip_network(host) for host in self.hosts)

    def may_come_from(self, address: str) -> bool:
        """Tell whether an association of this title may come from here."""
        return any(ipaddress.ip_address(address) in network for network in self.networks)

    def called_at(self) -> "DicomAddress | None":
        """Return where it listens, if that was said."""
        alone = len(self.hosts) == 1 and self.networks[0].num_addresses == 1
        address = self.address or (self.hosts[0] if alone else None)
        if address is None or self.port is None:
            return None
        return DicomAddress(kind="dicom", ae_title=self.ae_title, address=address, port=self.port, tls=self.tls)


class DicomAddress(_Said):
    """An application that is called by C-STORE."""

    kind: Literal["dicom"]
    ae_title: Title
    address: HostName
    port: Port
    tls: bool = False


class WebAddress(_Said):
    """A DICOMweb service.

    ``authorization`` is a file that holds the value of the HTTP header of that name; ``authority`` one in PEM that has
    to have signed the service's certificate, in the place of the public ones.
    """

    kind: Literal["dicomweb"]
    url: Address
    authorization: Path | None = None
    authority: Path | None = None


Destination = Annotated[DicomAddress | WebAddress, Field(discriminator="kind")]


class _Asking(_Said):
    modalities: Annotated[list[Annotated[str, Field(pattern=r"^[A-Z]{2,16}$")]], Field(min_length=1)] = ["US"]
    days: int = Field(1, ge=1, le=3660)
    every_minutes: float = Field(10.0, gt=0)


class PullFromPeer(_Asking):
    """Ask a peer for studies by C-FIND, and have them sent here by C-MOVE."""

    kind: Literal["dicom"]
    peer: str


class PullFromWeb(_Asking):
    """Ask a DICOMweb service for studies by QIDO-RS, and fetch them by WADO-RS."""

    kind: Literal["dicomweb"]
    url: Address
    authorization: Path | None = None
    authority: Path | None = None


Pull = Annotated[PullFromPeer | PullFromWeb, Field(discriminator="kind")]


class Study(_Said):
    """When a study is complete: after so many seconds without a new instance."""

    quiet_s: float = Field(60.0, ge=0)


class Retry(_Said):
    """How often an assessment, a delivery or a report of commitment is tried, waiting twice as long each time."""

    attempts: int = Field(8, ge=1)
    first_s: float = Field(30.0, ge=0)
    longest_s: float = Field(3600.0, ge=0)

    def wait_s(self, attempts: int) -> float:
        """Return how long to wait after so many failed attempts."""
        return float(min(self.first_s * 2.0 ** min(attempts - 1, 60), self.longest_s))


class Retention(_Said):
    """How long instances and results stay in the spool after the last result was delivered."""

    hours: float = Field(24.0, ge=0)


class Limits(_Said):
    """How much the node takes of anything, so that no sender and no file can bring it down."""

    associations: int = Field(10, ge=1, le=1000)
    pdu_kilobytes: int = Field(128, ge=4, le=1024)
    instance_megabytes: int = Field(1024, ge=1, le=4095)
    instances_per_study: int = Field(2000, ge=1)
    stalled_s: float = Field(30.0, gt=0)
    free_megabytes: int = Field(1024, ge=0)
    assessment_s: float = Field(900.0, gt=0)
    assessment_megabytes: int = Field(4096, ge=64)


class Tls(_Said):
    """Files in PEM: this node's certificate and key, and the authority that has to have signed the other side's."""

    certificate: Path
    key: Path
    authority: Path


class NodeSettings(_Said):
    """A node's file. :func:`example_text` prints one with a remark on each key."""

    format: str = Field(pattern=r"^isthmus-node/1\.\d+$")
    ae_title: Title = "ISTHMUS"
    listen: Listen = Listen()
    spool: Path
    peers: Annotated[dict[str, Peer], Field(min_length=1)]
    destinations: Annotated[dict[str, Destination], Field(min_length=1)]
    sop_classes: Annotated[list[SopClass], Field(min_length=1)] = list(_SOP_CLASSES_TAKEN)
    device_rules: Path | None = None
    study: Study = Study()
    retry: Retry = Retry()
    retention: Retention = Retention()
    limits: Limits = Limits()
    tls: Tls | None = None
    pull: list[Pull] = []

    @model_validator(mode="after")
    def _agreeing(self) -> Self:
        titles = [peer.ae_title for peer in self.peers.values()]
        if twice := {title for title in titles if titles.count(title) > 1}:
            raise ValueError(f"peers: {sorted(twice)[0]!r} stands twice; give one peer all of its hosts")
        called = [*self.peers.values(), *self.destinations.values()]
        if self.tls is None and any(getattr(one, "tls", False) for one in called):
            raise ValueError("tls: true needs the section tls with certificate, key and authority")
        for number, pull in enumerate(self.pull):
            if isinstance(pull, PullFromPeer):
                if pull.peer not in self.peers:
                    raise ValueError(f"pull.{number}.peer: {pull.peer!r} is not among the peers")
                if self.peers[pull.peer].called_at() is None:
                    raise ValueError(f"pull.{number}.peer: the peer {pull.peer!r} needs a port, and one address")
        return self


def read_node_settings(path: Path) -> NodeSettings:
    """Return a node's settings; paths in them are relative to the file's folder.

    Raises
    ------
    InputError
        When the file cannot be read or something in it is wrong; all of it is named.
    """
    content: Any = read_yaml(path, name="node")
    try:
        settings = NodeSettings.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_fault(one, content) for one in error.errors())
        raise InputError(faults, where=str(path), hint="isthmus serve --example-node explains each key") from error
    return _with_paths_from(settings, path.resolve().parent)


def _with_paths_from(settings: NodeSettings, folder: Path) -> NodeSettings:
    def absolute(value: Any) -> Any:
        if isinstance(value, Path):
            return folder / value
        if isinstance(value, dict):
            return {key: absolute(one) for key, one in value.items()}
        return [absolute(one) for one in value] if isinstance(value, list) else value

    return NodeSettings.model_validate(absolute(settings.model_dump()))


def _fault(error: Any, content: Any) -> str:
    steps = [step for step in error["loc"] if step not in ("dicom", "dicomweb") or not _is_branch(error["loc"], step)]
    place = ".".join(map(str, steps))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _fields_beside(steps[:-1])
        meant = did_you_mean(str(steps[-1]), known)
        return f"unknown key {place!r}" + (f"; {meant}" if meant else f"; known here: {', '.join(known)}")
    if error["type"] == "missing":
        return f"the key {place!r} is missing"
    if not place:
        return str(message)
    if error["type"].startswith("union_tag"):
        return f"{place}.kind is {error['ctx'].get('tag')!r}; expected {error['ctx'].get('expected_tags', 'a kind')}"
    found = error["input"]
    shown = f" is {found!r}" if isinstance(found, str | int | float | bool) else ""
    return f"{place}{shown}; expected {_expectation(error, message)}"


def _is_branch(loc: tuple[int | str, ...], step: int | str) -> bool:
    # Pydantic puts the branch of a union among the steps: ('destinations', 'archive', 'dicom', 'port').
    return loc.index(step) == 2 and loc[0] in ("destinations", "pull")


def _expectation(error: Any, message: str) -> str:
    kind = {"int_parsing": "a whole number", "int_type": "a whole number", "float_parsing": "a number",
            "float_type": "a number", "string_type": "text", "dict_type": "keys with values",
            "model_type": "keys with values", "list_type": "a list", "bool_parsing": "true or false",
            "too_short": "at least one entry", "path_type": "a path"}.get(str(error["type"]))  # fmt: skip
    if error["type"] == "string_pattern_mismatch":
        pattern = error["ctx"]["pattern"]
        known = {r"^isthmus-node/1\.\d+$": FORMAT, r"^https?://[^\s@?#]+$": "http://… or https://…"}
        return known.get(pattern, "a host's name or address" if "." in pattern else "a modality such as US")
    return kind or re.sub(r"^Input should be ", "", message)


def _fields_beside(steps: list[Any]) -> list[str]:
    kinds: dict[str, list[type[BaseModel]]] = {
        "": [NodeSettings], "listen": [Listen], "peers": [Peer], "destinations": [DicomAddress, WebAddress],
        "study": [Study], "retry": [Retry], "retention": [Retention], "limits": [Limits], "tls": [Tls],
        "pull": [PullFromPeer, PullFromWeb],
    }  # fmt: skip
    models = kinds.get(str(steps[0]) if steps else "", [NodeSettings])
    return list(dict.fromkeys(name for model in models for name in model.model_fields))


def example_text() -> str:
    """Return a commented file to start from."""
    return resources.files("isthmus.clinic").joinpath("example_node.yaml").read_text(encoding="utf-8")
