"""The real breast reader study (20 networks and ensembles, 6 readers), scored here and by pROC in the same minute."""

import csv
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from isthmus.statistics.roc import clustered_auc, compare_aucs, delong

PROGRAM = """
suppressMessages(library(pROC))
d <- read.csv(commandArgs(TRUE)[1], check.names = FALSE)
names <- grep("^(reader|model_|allmodels_)", colnames(d), value = TRUE)
rocs <- lapply(names, function(n) roc(d$malignancy, d[[n]], direction = "<", levels = c(0, 1), quiet = TRUE))
first <- rocs[[1]]
number <- function(x) formatC(as.numeric(x), digits = 16, format = "g")
for (k in seq_along(names)) {
  p <- if (k == 1) NA else roc.test(first, rocs[[k]], paired = TRUE, method = "delong")$p.value
  cat(names[k], number(as.numeric(auc(rocs[[k]]))), number(var(rocs[[k]])), number(p), "\\n")
}
"""


@pytest.fixture(scope="module")
def study(data_folder: Path) -> Path:
    path = data_folder / "breast_reader_study" / "manifest.csv"
    if not path.is_file():
        pytest.skip(f"no breast reader study at {path}")
    return path


def _columns(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_all_26_curves_equal_proc(study: Path, tmp_path: Path) -> None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("no Rscript on this machine")
    script = tmp_path / "rocs.R"
    script.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run([rscript, str(script), str(study)], capture_output=True, text=True, timeout=60, check=False)
    if "there is no package called" in done.stderr:
        pytest.skip("R is here, pROC is not (Debian: r-cran-proc)")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    columns = _columns(study)
    truth = np.array(columns["malignancy"]) == "1"
    scores = np.array([columns[name] for name, *_ in lines], dtype=float)
    aucs, covariance = delong(truth, scores)
    assert len(lines) == 26
    assert aucs == pytest.approx([float(line[1]) for line in lines], rel=1e-12)
    assert np.diag(covariance) == pytest.approx([float(line[2]) for line in lines], rel=1e-10)
    p_values = [compare_aucs(truth, scores[0], other).p for other in scores[1:]]
    assert p_values == pytest.approx([float(line[3]) for line in lines[1:]], rel=1e-8, abs=1e-14)


def test_patients_with_several_pictures_widen_the_interval_of_most_curves(study: Path) -> None:
    columns = _columns(study)
    truth = np.array(columns["malignancy"]) == "1"
    names = [name for name in columns if name.startswith(("reader", "model_", "allmodels_"))]
    scores = np.array([columns[name] for name in names], dtype=float)
    # 300 pictures of 220 patients: the variance must feel it, and the AUC must not.
    aucs, clustered = clustered_auc(truth, scores, np.array(columns["patient_id"]))
    same_aucs, independent = delong(truth, scores)
    assert aucs.tolist() == same_aucs.tolist()
    assert np.median(np.diag(clustered) / np.diag(independent)) > 1.05, json.dumps(np.diag(clustered).tolist())
