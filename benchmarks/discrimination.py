"""Comparing two AUCs beside R's pROC, in one run on the same scores; bootstrapping one beside scikit-learn and pROC.

Times are processor times of one thread, the best of several rounds on both sides alike, because other work may share
the machine; they exclude starting Python or R and reading the data, and the wall times of the whole processes stand
beside them. In pROC `roc.test` needs curves made by `roc` before: both are timed, the test alone and from bare scores.
The z statistics of both must agree.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

import tables

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
LIMIT = 600  # seconds for one size in R
CASES, REPLICATES = 10_000, 2_000

IN_R = """
suppressMessages(library(pROC))
given <- commandArgs(TRUE); folder <- given[1]; n <- as.integer(given[2]); rounds <- as.integer(given[3])
inner <- max(1, min(100, as.integer(50000 / n)))
y <- readBin(file.path(folder, "y"), "integer", n)
a <- readBin(file.path(folder, "a"), "double", n); b <- readBin(file.path(folder, "b"), "double", n)
curve <- function(s) roc(y, s, direction = "<", levels = c(0, 1), quiet = TRUE)
best <- function(f) min(sapply(seq_len(rounds), function(k)
  sum(system.time(for (j in seq_len(inner)) f())[1:2]) / inner))
one <- curve(a); two <- curve(b)
found <- roc.test(one, two, paired = TRUE, method = "delong")
test <- best(function() roc.test(one, two, paired = TRUE, method = "delong"))
whole <- best(function() roc.test(curve(a), curve(b), paired = TRUE, method = "delong"))
cat(sprintf("%.17g %.17g %.17g\\n", test, whole, found$statistic))
"""
ONCE_IN_R = """
suppressMessages(library(pROC))
given <- commandArgs(TRUE); folder <- given[1]; n <- as.integer(given[2])
y <- readBin(file.path(folder, "y"), "integer", n)
a <- readBin(file.path(folder, "a"), "double", n); b <- readBin(file.path(folder, "b"), "double", n)
curve <- function(s) roc(y, s, direction = "<", levels = c(0, 1), quiet = TRUE)
cat(roc.test(curve(a), curve(b), paired = TRUE, method = "delong")$statistic)
"""
BOOTSTRAP_IN_R = """
suppressMessages(library(pROC))
given <- commandArgs(TRUE); folder <- given[1]; n <- as.integer(given[2]); times <- as.integer(given[3])
y <- readBin(file.path(folder, "y"), "integer", n); a <- readBin(file.path(folder, "a"), "double", n)
curve <- roc(y, a, direction = "<", levels = c(0, 1), quiet = TRUE)
spent <- system.time(found <- ci.auc(curve, method = "bootstrap", boot.n = times, boot.stratified = FALSE,
                                     progress = "none"))[1:2]
cat(sprintf("%.17g %.17g %.17g\\n", sum(spent), found[1], found[3]))
"""
VERSIONS = 'cat(R.version$major, ".", R.version$minor, " ", as.character(packageVersion("pROC")), sep = "")'
WHOLE = """
import sys
import numpy as np
from isthmus.statistics.roc import compare_aucs
folder, n = sys.argv[1], int(sys.argv[2])
y = np.fromfile(folder + "/y", np.int32)
print(compare_aucs(y, np.fromfile(folder + "/a"), np.fromfile(folder + "/b")).statistic)
"""


def cases(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels (30 % positive) and two correlated scores."""
    generator = np.random.default_rng(seed)
    y = generator.random(n) < 0.3
    shared = generator.normal(size=n)
    a, b = (shared + generator.normal(size=n) + strength * y for strength in (1.5, 1.4))
    return y, a, b


def best(function: Callable[[], object], rounds: int, inner: int) -> tuple[float, float]:
    """Return the best processor and the best wall time of one call in seconds; each round makes `inner` calls."""
    busy, passed = [], []
    for _ in range(rounds):
        start, begun = time.process_time(), time.perf_counter()
        for _ in range(inner):
            function()
        busy.append((time.process_time() - start) / inner)
        passed.append((time.perf_counter() - begun) / inner)
    return min(busy), min(passed)


def in_r(program: str, *arguments: object) -> tuple[list[float] | None, float, str]:
    """Return the numbers an R program printed (None where it failed or took too long), its whole time, and why."""
    start = time.perf_counter()
    try:
        done = subprocess.run(
            ["Rscript", "-e", program, *map(str, arguments)],
            capture_output=True, text=True, timeout=LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, float(LIMIT), f"more than {LIMIT} s"
    spent = time.perf_counter() - start
    if done.returncode:
        return None, spent, done.stderr.strip().splitlines()[-1]
    return [float(word) for word in done.stdout.split()], spent, ""


def compare(n: int, rounds: int) -> dict[str, Any]:
    """Time one paired comparison of n cases on both sides."""
    from isthmus.statistics.roc import compare_aucs

    y, a, b = cases(n)
    inner = max(1, min(200, 200_000 // n))
    ours, wall = best(lambda: compare_aucs(y, a, b), rounds, inner)
    statistic = compare_aucs(y, a, b).statistic
    with tempfile.TemporaryDirectory() as folder:
        y.astype(np.int32).tofile(Path(folder) / "y")
        a.tofile(Path(folder) / "a")
        b.tofile(Path(folder) / "b")
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", WHOLE, folder, str(n)], check=True, capture_output=True)
        whole = time.perf_counter() - start
        found, _, why = in_r(IN_R, folder, n, rounds if n < 100_000 else 3)
        _, once, _ = in_r(ONCE_IN_R, folder, n)
    test, from_scores, other = found or (float("nan"),) * 3
    return {
        "cases": n,
        "Isthmus, ms": 1000 * ours,
        "wall, ms": 1000 * wall,
        "pROC roc.test alone, ms": 1000 * test,
        "pROC from bare scores, ms": 1000 * from_scores,
        "roc.test / Isthmus": test / ours,
        "from scores / Isthmus": from_scores / ours,
        "difference in z": abs(statistic - other),
        "whole process Isthmus, s": whole,
        "whole process R, s": once,
        **({"why": why} if why else {}),
    }


def bootstrap(rounds: int) -> list[dict[str, Any]]:
    """Time 2,000 bootstrap replicates of the AUC of 10,000 cases, alone and in groups of two, beside others."""
    from sklearn.metrics import roc_auc_score

    from isthmus.statistics.bootstrap import group_bootstrap, weighted_aucs
    from isthmus.statistics.roc_bootstrap import bootstrapped_auc

    y, a, _ = cases(CASES)
    groups = np.arange(CASES) // 2

    def row(what: str, seconds: float, low: float, high: float, memory: float = float("nan")) -> dict[str, Any]:
        return {"what": what, "seconds": seconds, "memory, MB": memory, "low": low, "high": high}

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    group_bootstrap(lambda w: weighted_aucs(y, a, w), CASES, groups, REPLICATES)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    found = []
    for what, own in (("Isthmus, every case a group", None), ("Isthmus, groups of two", groups)):
        seconds, _ = best(lambda own=own: bootstrapped_auc(y, a, own, replicates=REPLICATES), min(rounds, 3), 1)
        interval = bootstrapped_auc(y, a, own, replicates=REPLICATES)
        found.append(row(what, seconds, interval.low, interval.high, memory))
    generator = np.random.default_rng(1)
    start = time.process_time()
    drawn = []
    for _ in range(REPLICATES):
        rows = generator.integers(CASES, size=CASES)
        drawn.append(roc_auc_score(y[rows], a[rows]))
    seconds = time.process_time() - start
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    found.append(row("scikit-learn roc_auc_score in a loop", seconds, low, high))
    with tempfile.TemporaryDirectory() as folder:
        y.astype(np.int32).tofile(Path(folder) / "y")
        a.tofile(Path(folder) / "a")
        numbers, _, why = in_r(BOOTSTRAP_IN_R, folder, CASES, REPLICATES)
    found.append(row(f"pROC ci.auc{f' ({why})' if why else ''}", *(numbers or (float("nan"),) * 3)))
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    options = parser.parse_args()
    if shutil.which("Rscript") is None:
        parser.exit(0, "Rscript is not here (Debian: r-base-core, r-cran-proc): nothing to compare with.\n")
    versions = subprocess.run(["Rscript", "-e", VERSIONS], capture_output=True, text=True, check=True).stdout.split()
    rows = []
    for n in options.sizes:
        rows.append(compare(n, options.rounds))
        print(f"{n}: {rows[-1]['Isthmus, ms']:.3g} ms, {rows[-1]['pROC roc.test alone, ms']:.3g} ms", file=sys.stderr)
    facts = {"CPU cores": os.cpu_count(), "rounds": options.rounds, "numpy": np.__version__}
    facts |= {"R": versions[0], "pROC": versions[1], **tables.machine()}
    found = bootstrap(options.rounds)
    lines = [
        f"Paired DeLong comparison of two models: processor time of one thread, best of {options.rounds} rounds (3 of "
        f"pROC from 100,000 cases on), on {os.cpu_count()} CPU cores. `difference in z` is between the two programs.",
        "",
        f"{REPLICATES} bootstrap replicates of the AUC of {CASES} cases (`memory`: what they added to the process's "
        "peak):",
        "",
        *tables_of(found),
    ]
    tables.write("discrimination", facts, rows, "\n".join(lines))
    path = tables.RESULTS / "discrimination.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    finite = [{key: value if value == value else None for key, value in row.items()} for row in found]
    path.write_text(json.dumps(content | {"bootstrap": finite}, indent=2) + "\n", encoding="utf-8")


def tables_of(rows: list[dict[str, Any]]) -> list[str]:
    """Return the lines of a Markdown table."""
    shown = [{key: f"{v:.4g}" if isinstance(v, float) else str(v) for key, v in row.items()} for row in rows]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in shown)]
    return ["| " + " | ".join(line).replace("nan", "–") + " |" for line in lines]


if __name__ == "__main__":
    main()
