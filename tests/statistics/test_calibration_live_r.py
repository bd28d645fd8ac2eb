"""The real breast reader study: fifteen networks' calibration, measured here and by base R in the same minute."""

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from isthmus.statistics.calibration_curve import flexible_curve, spline_design
from isthmus.statistics.calibration_error import hosmer_lemeshow
from isthmus.statistics.calibration_measures import calibration_in_the_large, calibration_slope
from isthmus.statistics.recalibration import fit_isotonic

AT = np.array([0.2, 0.5, 0.8])
Z = 1.959963984540054
PROGRAM = """
d <- read.csv(commandArgs(TRUE)[1], check.names = FALSE)
y <- d$malignancy; n <- length(y); g <- d$patient_id; G <- length(unique(g))
tight <- list(epsilon = 1e-14, maxit = 100)
sandwich <- function(m) {
  X <- model.matrix(m); mu <- fitted(m); A <- solve(crossprod(X * sqrt(mu * (1 - mu))))
  A %*% crossprod(rowsum(X * (y - mu), g)) %*% A * G / (G - 1)
}
basis <- function(x, k) {
  c3 <- function(v) pmax(v, 0)^3; K <- length(k); out <- x
  for (j in seq_len(K - 2)) out <- cbind(out, (c3(x - k[j]) - c3(x - k[K - 1]) * (k[K] - k[j]) / (k[K] - k[K - 1]) +
    c3(x - k[K]) * (k[K - 1] - k[j]) / (k[K] - k[K - 1])) / (k[K] - k[1])^2)
  out
}
number <- function(x) formatC(as.numeric(x), digits = 16, format = "g")
for (name in grep("^allmodels_", colnames(d), value = TRUE)) {
  p <- pmin(pmax(d[[name]], 1 / (2 * n)), 1 - 1 / (2 * n)); x <- qlogis(p)
  m <- glm(y ~ x, binomial, control = tight); m0 <- glm(y ~ offset(x), binomial, control = tight)
  k <- quantile(x, c(.05, .35, .65, .95)); B <- basis(x, k); f <- glm(y ~ B, binomial, control = tight)
  N <- cbind(1, basis(qlogis(c(.2, .5, .8)), k)); V <- sandwich(f)
  h <- cut(p, unique(c(-Inf, quantile(p, 1:9 / 10), Inf)))
  hl <- sum((rowsum(y, h) - rowsum(p, h))^2 / (rowsum(p, h) * (1 - rowsum(p, h) / rowsum(rep(1, n), h))))
  a <- abs(fitted(f) - p); iso <- isoreg(p[order(p, -y)], y[order(p, -y)])$yf
  cat(name, number(c(coef(m)[2], sandwich(m)[2, 2], coef(m0), sandwich(m0), plogis(N %*% coef(f)),
    sqrt(diag(N %*% V %*% t(N))), mean(a), median(a), quantile(a, .9), hl, sum(iso^2))), "\\n")
}
"""


@pytest.fixture(scope="module")
def study(data_folder: Path) -> Path:
    path = data_folder / "breast_reader_study" / "manifest.csv"
    if not path.is_file():
        pytest.skip(f"no breast reader study at {path}")
    if shutil.which("Rscript") is None:
        pytest.skip("no R here")
    return path


def test_fifteen_networks_are_as_calibrated_as_base_r_says(study: Path) -> None:
    with study.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    y = np.array([row["malignancy"] == "1" for row in rows])
    groups = [row["patient_id"] for row in rows]
    edge = 1 / (2 * y.size)
    found = subprocess.run(["Rscript", "-e", PROGRAM, str(study)], capture_output=True, text=True, check=True).stdout
    compared = 0
    for line in found.splitlines():
        name, *texts = line.split()
        values = [float(text) for text in texts]
        p = np.clip([float(row[name]) for row in rows], edge, 1 - edge)
        slope, large = calibration_slope(y, p, groups), calibration_in_the_large(y, p, groups)
        assert (slope.estimate, ((slope.high - slope.low) / 2 / Z) ** 2) == pytest.approx(values[:2], rel=1e-6)
        assert (large.estimate, ((large.high - large.low) / 2 / Z) ** 2) == pytest.approx(values[2:4], rel=1e-6)
        curve = flexible_curve(y, p, groups, knots=4, replicates=5)
        fitted = spline_design(logit(curve.predicted), curve.knots)
        line_of = np.linalg.lstsq(fitted, logit(curve.observed), rcond=None)[0]
        assert expit(spline_design(logit(AT), curve.knots) @ line_of) == pytest.approx(values[4:7], rel=1e-5)
        width = (logit(curve.high) - logit(curve.low)) / 2 / Z
        assert np.interp(AT, curve.predicted, width) == pytest.approx(values[7:10], rel=0.02)  # between grid points
        distances = [curve.ici.estimate, curve.e50.estimate, curve.e90.estimate]
        assert distances == pytest.approx(values[10:13], rel=1e-6)
        assert hosmer_lemeshow(y, p).statistic == pytest.approx(values[13], rel=1e-9)
        if np.unique(p).size == p.size:  # isoreg does not pool ties
            steps = fit_isotonic(y, p).apply(p)
            steps = np.where(steps <= edge, 0.0, np.where(steps >= 1 - edge, 1.0, steps))
            assert float(np.sum(steps**2)) == pytest.approx(values[14], rel=1e-9)
        compared += 1
    assert compared == 15
