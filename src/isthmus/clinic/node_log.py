"""What a running node says: one line an event, in words or as JSON, with study numbers of its own and no identifier."""

import json
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TextIO

_TELL_EVERY_S: Final = 5.0


class NodeLog:
    """Writes lines to a stream; safe to use from several threads.

    Parameters
    ----------
    stream : TextIO
        Where to.
    as_json : bool
        One JSON object a line instead of words.
    """

    def __init__(self, stream: TextIO, *, as_json: bool = False) -> None:
        self._stream = stream
        self._as_json = as_json
        self._lock = threading.Lock()
        self._counts: dict[int, int] = {}
        self._told_at: dict[int, float] = {}

    def received(self, study: int) -> None:
        """Count an instance of a study; tell the first, and how many they are every few seconds."""
        with self._lock:
            count = self._counts[study] = self._counts.get(study, 0) + 1
            if time.monotonic() - self._told_at.get(study, -_TELL_EVERY_S) < _TELL_EVERY_S:
                return
            self._told_at[study] = time.monotonic()
        self("received", f"study {study}: {count} instances received since the start", study=study, instances=count)

    def __call__(self, event: str, said: str, **facts: int | float | str | None) -> None:
        """Write one event: its name, a sentence, and facts for programs."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._as_json:
            line = json.dumps({"time": now, "event": event, "said": said, **facts}, ensure_ascii=False)
        else:
            line = f"{now} {said}"
        # A closed terminal, or a full disk of logs, stops no node.
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()
