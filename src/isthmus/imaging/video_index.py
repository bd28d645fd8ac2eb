"""The packets of a video: how many frames there are, when each is shown, from where it can be decoded, and whether the
file is whole. Nothing is decoded.

Packets are counted, because a header may lie about them; only for codecs whose frames all stand alone is the index in
the file taken (raw and Motion-JPEG files are large, and it is proven against each packet that is then read).
"""

import io
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.limits import Limits

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_CHUNK_HEADER = 8
"""AVI's own index names a chunk's start, PyAV the data behind its name and size."""

_UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # of recordings that were never finished
_TOLERATED_FRAMES = 2
_CUT_SHORT = "copy it again from its source"


class ListedPacket(NamedTuple):
    """One packet: its time stamp, what to seek for it, its place (-1: unknown), whether decoding can start with it."""

    stamp: int | None
    seek: int | None
    position: int
    key: bool
    shown: bool


class KeyFrame(NamedTuple):
    """A packet from which decoding can start, and the number of the first frame that is then shown."""

    stamp: int
    order: int
    seek: int
    number: int


@dataclass(frozen=True)
class VideoIndex:
    """What the packets of a video say.

    Parameters
    ----------
    packets : tuple of ListedPacket
        In stored order.
    time_base : float
        Seconds a unit of the time stamps.
    exact : bool
        Whether a frame can be told by its time stamp.
    intra_only : bool
        Whether every frame stands alone.
    """

    packets: tuple[ListedPacket, ...]
    time_base: float
    exact: bool
    intra_only: bool

    @cached_property
    def stamps(self) -> tuple[int, ...]:
        """Time stamps of the shown frames in the order of showing; empty where a packet has none."""
        stamps = [packet.stamp for packet in self.packets if packet.shown]
        known = [stamp for stamp in stamps if stamp is not None]
        return tuple(sorted(known)) if len(known) == len(stamps) else ()

    @cached_property
    def frames(self) -> int:
        """How many frames are shown."""
        return sum(packet.shown for packet in self.packets)

    @property
    def times_s(self) -> tuple[float, ...] | None:
        """Seconds since the first frame."""
        if not self.stamps:
            return None
        return tuple((stamp - self.stamps[0]) * self.time_base for stamp in self.stamps)

    @cached_property
    def _keys(self) -> list[KeyFrame]:
        return sorted(
            KeyFrame(packet.stamp, order, packet.seek, bisect_left(self.stamps, packet.stamp))
            for order, packet in enumerate(self.packets)
            if packet.key and packet.shown and packet.stamp is not None and packet.seek is not None
        )

    @cached_property
    def _orders(self) -> dict[int, int]:
        return {packet.position: order for order, packet in enumerate(self.packets)}

    def key_frame_before(self, number: int) -> KeyFrame | None:
        """Return the last key frame that is shown no later than this frame."""
        place = bisect_right(self._keys, self.stamps[number], key=lambda key: key.stamp)
        return self._keys[place - 1] if place else None

    def order_at(self, position: int | None) -> int | None:
        """Return which packet in stored order lies at this place of the file."""
        return None if position is None else self._orders.get(position)


def list_packets(container: "InputContainer", stream: "VideoStream", limits: Limits, where: str) -> VideoIndex:
    """List a video's packets.

    Raises
    ------
    LimitError
        When there are more than ``limits.frames``: reading stops there.
    PictureError
        When a packet is marked as damaged.
    """
    packets: list[ListedPacket] = []
    intra_only = stream.codec_context.codec.intra_only
    stated = intra_only and 0 < len(stream.index_entries) == stream.frames
    for packet in _from_header(container, stream) if stated else _from_file(container, stream, where):
        packets.append(packet)
        if len(packets) > limits.frames:
            raise LimitError(f"it has more than {limits.frames:,} frames", where=where, hint="leave it out")
    assert stream.time_base is not None
    return VideoIndex(tuple(packets), float(stream.time_base), _exact(packets, container, stream), intra_only)


def _from_header(container: "InputContainer", stream: "VideoStream") -> Iterator[ListedPacket]:
    shift = _CHUNK_HEADER if container.format.name == "avi" else 0
    for entry in stream.index_entries:
        stamp = entry.timestamp
        yield ListedPacket(stamp, stamp, entry.pos + shift, entry.is_keyframe, not entry.is_discard)


def _from_file(container: "InputContainer", stream: "VideoStream", where: str) -> Iterator[ListedPacket]:
    by_decoding = container.format.name == "avi"  # other containers are sought by the time of showing
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise PictureError("a packet of the video is damaged or cut short", where=where, hint=_CUT_SHORT)
        if packet.size:
            position = -1 if packet.pos is None else packet.pos
            seek = packet.dts if by_decoding else packet.pts
            yield ListedPacket(packet.pts, seek, position, packet.is_keyframe, not packet.is_discard)


def _exact(packets: list[ListedPacket], container: "InputContainer", stream: "VideoStream") -> bool:
    known = [packet.stamp for packet in packets if packet.shown and packet.stamp is not None]
    places = {packet.position for packet in packets}
    if len(set(known)) < sum(packet.shown for packet in packets) or len(places) < len(packets):
        return False
    if stream.format is not None and stream.format.name == "pal8":
        return False  # the palette comes once, with the first packet; behind a seek the colours would be wrong
    # AVI has no time of showing. Where the codec reorders frames and the stamps do not, they are times of decoding.
    reordered = any(later < earlier for earlier, later in pairwise(known))
    return reordered or container.format.name != "avi" or not stream.codec_context.has_b_frames


def check_whole(
    source: Path | io.BytesIO, container: "InputContainer", stream: "VideoStream", index: VideoIndex, where: str
) -> None:
    """Refuse a video of which a part is missing.

    Raises
    ------
    PictureError
        When the file ends before what its headers place in it, or holds fewer frames than its header announces.
    """
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source.getbuffer()) as stored:
        head = stored.read(8)
        size = stored.seek(0, io.SEEK_END)
    placed = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
    avi = container.format.name == "avi"
    if avi and (riff := int.from_bytes(head[4:], "little")) not in _UNKNOWN_SIZES:
        placed = max(placed, riff + _CHUNK_HEADER)
    if placed > size:
        raise PictureError(
            f"the video is cut short: its headers place {placed:,} bytes in it and {size:,} are there",
            where=where,
            hint=_CUT_SHORT,
        )
    # Dropped frames have no packet in an AVI, so the last one's place in time counts, not the number of packets.
    reached = index.stamps[-1] + 1 if index.stamps else 0
    if avi and stream.frames > reached + _TOLERATED_FRAMES:
        raise PictureError(
            f"its header announces {stream.frames:,} frames and {index.frames:,} are there",
            where=where,
            hint=_CUT_SHORT,
        )
