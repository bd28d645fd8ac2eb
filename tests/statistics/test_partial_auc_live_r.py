"""Partial areas and fixed operating points of the real breast reader study, here and by pROC in the same minute."""

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from isthmus.statistics.inputs import BoolArray, FloatArray
from isthmus.statistics.partial_auc import area_shares, mcclish
from isthmus.statistics.weighted_curve import curve_counts, sensitivities

PROGRAM = """
suppressMessages(library(pROC))
d <- read.csv(commandArgs(TRUE)[1], check.names = FALSE)
names <- grep("^(reader|model_|allmodels_)", colnames(d), value = TRUE)
number <- function(x) formatC(as.numeric(x), digits = 16, format = "g")
for (n in names) {
  r <- roc(d$malignancy, d[[n]], direction = "<", levels = c(0, 1), quiet = TRUE)
  area <- function(focus) auc(r, partial.auc = c(1, .9), partial.auc.focus = focus, partial.auc.correct = TRUE)
  at <- function(x, input, ret) coords(r, x = x, input = input, ret = ret, transpose = TRUE)
  cat(n, number(area("specificity")), number(area("sensitivity")),
      sapply(c(.8, .9, .95), function(x) number(at(x, "specificity", "sensitivity"))),
      sapply(c(.8, .9, .95), function(x) number(at(x, "sensitivity", "specificity"))), "\\n")
}
"""


def _mine(truth: BoolArray, scores: FloatArray) -> list[float]:
    counts = curve_counts(truth, scores, np.ones((1, truth.size)))
    areas = [mcclish(float(area_shares(counts, 0.9, 1.0, focus)[0]), 0.9, 1.0) for focus in FOCI]
    rates = np.array([0.2, 0.1, 0.05])
    return [*areas, *sensitivities(counts, rates)[0], *sensitivities(counts.turned(), rates)[0]]


FOCI = ("specificity", "sensitivity")


def test_all_26_curves_equal_proc(data_folder: Path, tmp_path: Path) -> None:
    path = data_folder / "breast_reader_study" / "manifest.csv"
    if not path.is_file():
        pytest.skip(f"no breast reader study at {path}")
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("no Rscript on this machine")
    script = tmp_path / "partial.R"
    script.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run([rscript, str(script), str(path)], capture_output=True, text=True, timeout=60, check=False)
    if "there is no package called" in done.stderr:
        pytest.skip("R is here, pROC is not (Debian: r-cran-proc)")
    assert done.returncode == 0, done.stderr
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    truth = np.array([row["malignancy"] == "1" for row in rows])
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 26
    for name, *expected in lines:
        scores = np.array([float(row[name]) for row in rows])
        # Readers' scores are full of ties, networks' are not. pROC's sums leave some 1e-11.
        assert _mine(truth, scores) == pytest.approx([float(value) for value in expected], abs=1e-12), name
