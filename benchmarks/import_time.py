"""What `isthmus --help` adds to a bare interpreter, and whether it imports torch.

Both are started in turn. Aims: under 0.3 s added, no torch.
"""

import argparse
import statistics
import subprocess
import sys
import time

import tables

HELP = "import sys; sys.argv = ['isthmus', '--help']; from isthmus.cli import main; main()"
HEAVY = ("torch", "lightning", "monai", "sklearn", "matplotlib", "scipy", "pandas")


def seconds_of(code: str) -> float:
    """Return the wall time of an interpreter that runs ``code``."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - start


def imported() -> list[str]:
    """Return the heavy packages that `isthmus --help` imports."""
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", HELP], check=True, capture_output=True, text=True
    )
    names = {line.rsplit("|", 1)[-1].strip() for line in finished.stderr.splitlines()}
    return [name for name in HEAVY if name in names]


def main() -> None:
    """Measure and write; exit 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--limit", type=float, default=0.3, help="seconds that may be added")
    options = parser.parse_args()
    seconds_of(HELP)  # compiles the bytecode
    bare, helped = [], []
    for _ in range(options.rounds):
        bare.append(seconds_of("pass"))
        helped.append(seconds_of(HELP))
    added = statistics.median(one - other for one, other in zip(helped, bare, strict=True))
    heavy = imported()
    rows = [
        {"command": "python -c pass", "seconds": statistics.median(bare)},
        {"command": "isthmus --help", "seconds": statistics.median(helped)},
        {"command": "added", "seconds": added},
    ]
    facts = {"rounds": options.rounds, "heavy_imports": heavy or "none", **tables.machine()}
    tables.write("import_time", facts, rows, "Median wall time, the two started in turn.")
    if added >= options.limit or "torch" in heavy:
        sys.exit(f"{added:.3f} s added (limit {options.limit}), heavy imports: {', '.join(heavy) or 'none'}")


if __name__ == "__main__":
    main()
