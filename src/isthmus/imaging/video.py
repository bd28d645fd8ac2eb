"""Video through PyAV: every frame by its number, at its true time, whole or not at all.

- A file's packets are listed first (:mod:`isthmus.imaging.video_index`): how many frames there are and when each is
  shown, which a header may get wrong.
- A frame is reached from the last key frame before it. What the decoder gives must then be that key frame and each
  frame after it, by time stamp and without a gap; where it is not (a broken index, time stamps that contradict the
  decoder, key frames that are none), the file is decoded from its start and frames are counted.
- Decoders are told to stop at damage instead of painting over it, and to refuse frames beyond the pixel limit.
- Grey video stays grey; all else becomes RGB by the matrix and range that the file states (BT.601, limited range, where
  it states none), transparency over black. Pixels are taken as square.
- Nothing of the file's own texts (titles, comments) is read: a name may stand there.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import PictureError
from isthmus.imaging.clip import ClipInfo, OpenClip
from isthmus.imaging.limits import Limits
from isthmus.imaging.stills import over_black
from isthmus.imaging.video_index import KeyFrame, VideoIndex, check_whole, list_packets

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

DEMUXERS = {"avi": "avi", "mp4": "mp4", "mov": "mov"}
"""PyAV's name of the container by ours. It is always named: probing could end in a playlist that opens other files."""

_GREY = ("gray", "mono")
_COPY_AGAIN = "copy it again from its source, or convert it where it came from"


class _NotExact(Exception):  # noqa: N818  (no error: a reason to decode from the start)
    """What came after a seek is not what the list of packets says."""


@contextmanager
def open_video(
    source: Path | io.BytesIO, limits: Limits, *, kind: str, where: str = "", demuxer: str | None = None
) -> Iterator[OpenClip]:
    """Open a video; its packets are listed, no frame is decoded before one is asked for.

    Parameters
    ----------
    source : Path or BytesIO
        A file, or the bytes of one.
    limits : Limits
        What is refused as too large.
    kind : str
        Goes into ``ClipInfo.format``.
    where : str, optional
        What messages name; the path by default.
    demuxer : str, optional
        PyAV's name of the container; that of ``kind`` by default.
    """
    video = _Video(source, limits, where or str(source), demuxer or DEMUXERS[kind], kind)
    try:
        yield video
    finally:
        video.close()


class _Video:
    def __init__(self, source: Path | io.BytesIO, limits: Limits, where: str, demuxer: str, kind: str) -> None:
        from av.video.reformatter import VideoReformatter

        self._source, self._limits, self._where, self._demuxer = source, limits, where, demuxer
        self._reformatter = VideoReformatter()
        self._container, self._stream = self._open()
        try:
            self._index, self.info = self._read_headers(kind)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._container.close()

    def frames(self, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        numbers, done = list(wanted), 0
        try:
            for frame in self._by_seeking(numbers):
                yield self._pixels(frame, numbers[done])
                done += 1
        except _NotExact:
            for number, frame in zip(numbers[done:], self._from_start(numbers[done:]), strict=True):
                yield self._pixels(frame, number)

    def _open(self) -> tuple["InputContainer", "VideoStream"]:
        import av

        bounded = {"max_pixels": str(self._limits.pixels)}
        if isinstance(self._source, io.BytesIO):
            self._source.seek(0)
        source: Any = self._source if isinstance(self._source, io.BytesIO) else str(self._source)
        with self._decoder("the video cannot be opened"):
            # Texts are not read, and may be in any encoding.
            container = av.open(source, format=self._demuxer, options=bounded, metadata_errors="ignore")
        try:
            stream = self._only_stream(container)
            stream.codec_context.options = {**bounded, "err_detect": "crccheck+explode"}
            # Two: clips are read by several processes at once, and each thread holds a frame.
            stream.codec_context.thread_count = 2
            stream.codec_context.thread_type = "AUTO"
        except BaseException:
            container.close()
            raise
        return container, stream

    def _only_stream(self, container: "InputContainer") -> "VideoStream":
        from av.stream import Disposition

        # Covers of albums pose as video.
        streams = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
        if len(streams) != 1:
            raise PictureError(
                f"the file holds {len(streams)} video streams" if streams else "the file holds no video stream",
                where=self._where,
                expected="one",
            )
        if streams[0].codec_context is None:
            # PyAV makes none for a codec that it has no decoder for.
            raise PictureError(
                "no decoder is installed for the video's codec", where=self._where, hint="convert it to H.264 or MJPEG"
            )
        return streams[0]

    def _read_headers(self, kind: str) -> tuple[VideoIndex, ClipInfo]:
        stream, where = self._stream, self._where
        self._limits.check_header(where, width=stream.width, height=stream.height)
        with self._decoder("its packets cannot be read"):
            index = list_packets(self._container, stream, self._limits, where)
        check_whole(self._source, self._container, stream, index, where)
        self._limits.check_header(where, width=stream.width, height=stream.height, frames=index.frames)
        if stream.format is None:
            # The layout of pixels is learnt from the first frame.
            raise PictureError("the video's first frame cannot be decoded", where=where, hint=_COPY_AGAIN)
        times = index.times_s
        info = ClipInfo(
            source=where,
            format=kind,
            width=stream.width,
            height=stream.height,
            channels=1 if stream.format.name.startswith(_GREY) else 3,
            frames=index.frames,
            bits=max(component.bits for component in stream.format.components),
            frame_times_s=times,
        )
        self._limits.check_header(where, width=info.width, height=info.height, seconds=times[-1] if times else 0.0)
        return index, info

    def _by_seeking(self, numbers: list[int]) -> Iterator["VideoFrame"]:
        frames: Iterator[tuple[int, VideoFrame]] = iter(())
        reached = -1
        for number in numbers:
            key = self._index.key_frame_before(number) if self._index.exact else None
            if key is None:
                raise _NotExact
            if reached < key.number:
                frames = self._after(key)
            for reached, frame in frames:
                if reached == number:
                    yield frame
                    break
            else:
                raise _NotExact

    def _after(self, key: KeyFrame) -> Iterator[tuple[int, "VideoFrame"]]:
        import av

        number, begun = key.number, False
        try:
            self._container.seek(key.seek, stream=self._stream)
            for packet in self._container.demux(self._stream):
                if not begun:
                    order = self._index.order_at(packet.pos)
                    if order is None or order > key.order:
                        raise _NotExact
                    begun = order == key.order
                # Stored after the key frame and shown before it: what such a frame refers to was not decoded.
                if not begun or (packet.pts is not None and packet.pts < key.stamp):
                    continue
                for frame in packet.decode():
                    if number == len(self._index.stamps) or frame.pts != self._index.stamps[number]:
                        raise _NotExact
                    if number == key.number and not (frame.key_frame or self._index.intra_only):
                        raise _NotExact
                    yield number, self._undamaged(frame, number)
                    number += 1
        except av.FFmpegError as error:
            raise _NotExact from error

    def _from_start(self, numbers: list[int]) -> Iterator["VideoFrame"]:
        self.close()
        self._container, self._stream = self._open()
        decoded, wanted = self._container.decode(self._stream), set(numbers)
        for number in range(numbers[-1] + 1):
            with self._decoder(f"the video cannot be decoded beyond {number} of {self.info.frames} frames"):
                frame = next(decoded, None)
            if frame is None:
                raise PictureError(
                    f"{number} of {self.info.frames} frames can be decoded", where=self._where, hint=_COPY_AGAIN
                )
            self._undamaged(frame, number)
            if number in wanted:
                yield frame

    def _undamaged(self, frame: "VideoFrame", number: int) -> "VideoFrame":
        # Later frames build on this one, so none of them is trusted either.
        if frame.is_corrupt:
            raise PictureError(f"frame {number} of the video is damaged", where=self._where, hint=_COPY_AGAIN)
        return frame

    def _pixels(self, frame: "VideoFrame", number: int) -> NDArray[np.uint8]:
        info = self.info
        if (frame.width, frame.height) != (info.width, info.height):
            raise PictureError(
                f"frame {number} has {frame.width} x {frame.height} pixels, the first {info.width} x {info.height}",
                where=self._where,
                hint="split the video where the size changes",
            )
        if frame.rotation:
            raise PictureError(
                f"the video is stored turned by {frame.rotation} degrees", where=self._where, hint="save it upright"
            )
        if info.channels == 1:
            return self._converted(frame, "gray")[..., None]
        if any(component.is_alpha for component in frame.format.components):
            return over_black(self._converted(frame, "rgba"))
        return self._converted(frame, "rgb24")

    def _converted(self, frame: "VideoFrame", layout: str) -> NDArray[np.uint8]:
        # swscale's own threads cost more than they give at the size of an ultrasound frame.
        with self._decoder("the video's colours cannot be converted"):
            return np.asarray(self._reformatter.reformat(frame, format=layout, threads=1).to_ndarray(), np.uint8)

    @contextmanager
    def _decoder(self, what: str) -> Iterator[None]:
        import av

        try:
            yield
        except av.FFmpegError as error:
            # Only the kind of the error: its log may quote the file's texts.
            raise PictureError(f"{what}: {error.strerror}", where=self._where, hint=_COPY_AGAIN) from error
