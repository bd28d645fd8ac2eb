"""A file that comes in as the body of a request: written to the disk as it arrives, never held in memory.

A route that takes one stands in its module's ``uploads`` router, which has the larger limit of the settings; it is a
PUT or POST with the plain bytes as its body and the token in the header. It may not declare a body or a form: those
are read before anybody asks who is there.
"""

import os
from pathlib import Path

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

_CHUNK = 1 << 20


async def keep_body(request: Request, path: Path) -> int:
    """Write the body of a request into a file, and return its size in bytes.

    The file appears when it is whole and on the disk; after an error, the limit or a lost connection there is none.

    Parameters
    ----------
    request : Request
        Whose body was not read yet, by a visitor who may upload.
    path : Path
        Where the file appears. Its name is the room's own, never one that somebody sent.
    """
    partial = path.with_name(f"{path.name}.partial")
    size, waiting = 0, bytearray()
    try:
        with partial.open("wb") as stream:
            async for chunk in request.stream():
                waiting += chunk
                size += len(chunk)
                if len(waiting) >= _CHUNK:
                    await run_in_threadpool(stream.write, bytes(waiting))
                    waiting.clear()
            stream.write(waiting)
            stream.flush()
            await run_in_threadpool(os.fsync, stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return size
