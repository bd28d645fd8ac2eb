"""What hostile and damaged DICOM files cost: peak memory and computing time of a process of its own for each.

Rows: each attack of ``tests/imaging/hostile_dicom.py``; every DICOM file that pydicom brings and, where ISTHMUS_DATA
names them, the real ultrasound files, whole and each cut short at 50 places; pydicom's compressed files with bytes of
their frames changed at random, 200 times each. A file is read as predictions read it, masked as results show it, and
walked as an import does. `refused` counts one-line errors; `other` counts everything that is neither that nor frames:
another exception, a crash, a warning; there must be none. Memory includes Python, NumPy, OpenCV and pydicom (the first
row). Lossless JPEG and JPEG-LS are decoded in a process of its own; its peak counts where it is the larger one.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the attacks are the tests'

import tables

CUTS, CHANGED = 50, 200
MEGABYTE = 2**20


def read_all(sources: list[str], how: str) -> dict[str, Any]:
    """Read each variant of each file in this process; what it cost, and how each reading ended."""
    from isthmus.cohort.sources.dicom_files import walk_export
    from isthmus.errors import IsthmusError
    from isthmus.imaging.limits import Limits
    from isthmus.imaging.masked_screen import read_masked_clip
    from isthmus.imaging.read import open_clip

    def frames(path: Path) -> None:
        with open_clip(path) as clip:
            for _ in clip.frames(range(min(clip.info.frames, 3))):
                pass

    readers: tuple[Callable[[Path], object], ...] = (
        frames, lambda path: read_masked_clip(path, frames=[0]), lambda path: list(walk_export(path.parent, Limits()))
    )  # fmt: skip
    found = {"frames": 0, "refused": 0, "other": 0}
    warnings.simplefilter("error")
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.dcm"
        for source in sources:
            for content in variants(Path(source), how):
                path.write_bytes(content)
                for number, read in enumerate(readers):
                    began = time.process_time()
                    try:
                        read(path)
                        found["frames"] += number == 0
                    except IsthmusError as error:
                        found["refused"] += number == 0
                        found["other"] += "\n" in str(error)
                    except Exception as error:
                        found["other"] += 1
                        print(f"{Path(source).name}: {type(error).__name__}", file=sys.stderr)
                    longest = max(longest, time.process_time() - began)
    return {**found, "peak_mb": _peak_mb(), "longest_s": round(longest, 2)}


def _peak_mb() -> int:
    """Return the most memory that this process, or one that it started, ever held.

    Not `ru_maxrss` of this process: a new process inherits that of the one that started it.
    """
    own = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return max(int(own.split()[1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024


def variants(source: Path, how: str) -> Iterator[bytes]:
    """Yield a file's bytes: whole, cut short at 50 places, or changed at random 200 times."""
    whole = source.read_bytes()
    if how == "cut":
        for place in range(1, CUTS + 1):
            yield whole[: len(whole) * place // (CUTS + 1)]
        return
    start = whole.rfind(b"\xe0\x7f\x10\x00") + 8
    for seed in range(CHANGED if how == "changed" else 1):
        content, draw = bytearray(whole), random.Random(seed)
        end = min(len(content), start + 692) if seed % 3 == 0 else len(content)
        for _ in range(draw.choice([1, 3, 10, 40]) if how == "changed" else 0):
            content[draw.randrange(start, end)] = draw.choice([0, 255, draw.randrange(256)])
        yield bytes(content)


def measured(sources: list[Path], how: str) -> dict[str, Any]:
    """Run :func:`read_all` in a process of its own."""
    command = [sys.executable, __file__, "--child", how, *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"frames": 0, "refused": 0, "other": 1, "peak_mb": 0, "longest_s": 0.0, "crash": done.returncode}
    if done.stderr:
        print(done.stderr[-500:], file=sys.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure every row and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs="+")
    parser.add_argument("--quick", action="store_true", help="the attacks and the whole files alone")
    given = parser.parse_args()
    if given.child:
        print(json.dumps(read_all(given.child[1:], given.child[0])))
        return
    import pydicom.data
    from pydicom.data import get_testdata_file
    from tests.imaging.hostile_dicom import HOSTILE

    theirs = sorted(Path(pydicom.data.__file__).parent.rglob("*.dcm"))  # what is installed: nothing is downloaded
    real = sorted((Path(os.environ["ISTHMUS_DATA"]) / "us_dicom").glob("*.dcm")) if "ISTHMUS_DATA" in os.environ else []
    rows = [{"files": "nothing read", "bytes": 0, **measured([], "whole")}]
    with tempfile.TemporaryDirectory() as folder:
        for attack in HOSTILE:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                path = attack(Path(folder) / f"{attack.__name__}.dcm")
            name = attack.__name__.replace("_", " ")
            rows.append({"files": name, "bytes": path.stat().st_size, **measured([path], "whole")})
    compressed = [
        "693_J2KI.dcm", "JPEG2000.dcm", "GDCMJ2K_TextGBR.dcm", "SC_rgb_jpeg_lossy_gdcm.dcm", "SC_rgb_jpeg_dcmtk.dcm",
        "SC_rgb_rle.dcm", "MR_small_RLE.dcm", "SC_rgb_jpeg_gdcm.dcm", "JPEGLSNearLossless_08.dcm",
    ]  # fmt: skip
    groups = [("pydicom's files", theirs, "whole"), ("real ultrasound", real, "whole")]
    if not given.quick:
        groups += [("pydicom's files, cut short", theirs, "cut"), ("real ultrasound, cut short", real, "cut")]
        changed = [Path(get_testdata_file(name, download=False)) for name in compressed]
        groups += [("compressed files, bytes changed", changed, "changed")]
    for name, sources, how in groups:
        if sources:
            largest = max(source.stat().st_size for source in sources)
            rows.append({"files": f"{name} ({len(sources)})", "bytes": largest, **measured(sources, how)})
    facts = {"cuts": CUTS, "changes": CHANGED, "bytes": "of a group, its largest file's", **tables.machine()}
    tables.write("hostile_files", facts, rows, "One process a row; peak memory in MiB, longest reading in CPU seconds.")


if __name__ == "__main__":
    main()
