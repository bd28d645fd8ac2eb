"""The DICOM node: instances a second beside pynetdicom's and dcmtk's own receivers, and what survives being killed.

dcmtk's `storescu` sends fresh B-mode stills (554 x 554, 8 bit, 0.3 MB) to each receiver in turn, over one association
and over four at once. The node syncs file, folder and journal before it acknowledges; the other two sync nothing.

Then 1,000 instances of 20 studies are sent while the node is killed with SIGKILL again and again, and what it had
acknowledged is looked for on its disk.

Run in the repository root: `python -m benchmarks.node`.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pydicom.uid import generate_uid

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from tests.clinic.killing import survive  # noqa: E402
from tests.clinic.nodes import free_port, picture, wait_for, written  # noqa: E402

import tables  # noqa: E402

QUIET_S = "100000"
DCMTK = "/usr/bin"


@contextmanager
def receiver(command: Callable[[Path, int], list[str]], folder: Path) -> Iterator[int]:
    """Run a receiver on a free port until the block ends."""
    port = free_port()
    process = subprocess.Popen(command(folder, port), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: listens(port), 120)
        yield port
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    """Tell whether something accepts connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def node(folder: Path, port: int) -> list[str]:
    """Return the command of the node; its studies are never quiet."""
    return [sys.executable, "-m", "tests.clinic.node_process", str(folder), str(port), "9", QUIET_S]


def pynetdicom(folder: Path, port: int) -> list[str]:
    """Return the command of pynetdicom's own receiver."""
    return [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-ba", "127.0.0.1", "-od", str(folder)]


def dcmtk(folder: Path, port: int) -> list[str]:
    """Return the command of dcmtk's receiver, a process an association."""
    return [f"{DCMTK}/storescp", "--fork", "-od", str(folder), str(port)]


def rate(port: int, parts: list[Path]) -> float:
    """Send folders, each over an association of its own at the same time; return instances a second."""
    began = time.perf_counter()
    who = ["-aet", "SENDER", "-aec", "ISTHMUS", "+sd", "127.0.0.1", str(port)]
    # Its limits of time are long: what is measured may be measured on a busy machine.
    options = ["-ta", "300", "-td", "300", "-to", "300"]
    commands = [[f"{DCMTK}/storescu", *options, *who, str(part)] for part in parts]
    sending = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    for one in sending:
        told = one.communicate()[1]
        if one.returncode:
            raise SystemExit(f"a sender failed: {told.strip()}")
    return sum(len(list(part.iterdir())) for part in parts) / (time.perf_counter() - began)


def stills(folder: Path, count: int, associations: int) -> list[Path]:
    """Write fresh studies, one a sender."""
    parts = []
    for _ in range(associations):
        study = generate_uid()
        part = folder / f"{study}"
        written(part, [picture(study, seed=seed, side=554) for seed in range(count // associations)])
        parts.append(part)
    return parts


def rates(rounds: int, instances: int) -> None:
    """Measure how fast instances are taken, and write it."""
    receivers = {"isthmus": node, "pynetdicom storescp": pynetdicom, "dcmtk storescp": dcmtk}
    found: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        for number in range(rounds):
            for associations in (1, 4):
                for name, command in receivers.items():
                    folder = Path(place) / f"{name[:3]}-{number}-{associations}"
                    folder.mkdir()
                    parts = stills(Path(place) / "sent", instances, associations)
                    with receiver(command, folder) as port:
                        found.setdefault((name, associations), []).append(rate(port, parts))
                    shutil.rmtree(folder)
                    shutil.rmtree(Path(place) / "sent")
    rows = [
        {
            "receiver": name,
            "associations": associations,
            "instances/s": statistics.median(measured),
            "slowest": min(measured),
            "fastest": max(measured),
            "syncs": "file, folder, journal" if name == "isthmus" else "nothing",
        }
        for (name, associations), measured in found.items()
    ]
    facts = {"rounds": rounds, "instances a round": instances, "load at the end": os.getloadavg()[0]}
    words = "Median over rounds, the receivers in turn; 0.3 MB an instance."
    tables.write("node", {**facts, **tables.machine()}, rows, words)


def kills(count: int) -> None:
    """Kill the node while it takes 1,000 instances, and write what became of them."""
    with tempfile.TemporaryDirectory() as place:
        killed = survive(Path(place), instances=1000, studies=20, kills=count - 1)
    words = (
        "SIGKILL at even distances while 1,000 instances arrive, and once more when the first result has just been "
        "delivered. Lost: acknowledged and not on the disk in the end. Answered: studies with a result of all their "
        "instances. Repeated: results beyond one of the same instances."
    )
    tables.write("node_killed", tables.machine(), [asdict(killed)], words)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="0: not the rates")
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20, help="0: not the kills")
    options = parser.parse_args()
    if options.rounds:
        rates(options.rounds, options.instances)
    if options.kills:
        kills(options.kills)


if __name__ == "__main__":
    main()
