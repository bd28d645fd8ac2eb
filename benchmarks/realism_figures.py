"""Figures of the realism benchmark: distributions, simulated stills, and pictures side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from patches import TISSUES
from real_pictures import Still

from isthmus.report.figure_style import GREY, INK, colour, new_figure, style, tidy

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "realism.png"
_SHOWN = (
    "speckle SNR", "Nakagami m, likelihood", "axial width (mm)", "lateral width (mm)", "grey SD", "grey mean",
    "GLCM correlation, axial", "GLCM correlation, lateral",
)  # fmt: skip
_WINDOW_MM, _PIXELS = (38.0, 28.0), 11


def draw_distributions(
    real: pd.DataFrame, made: pd.DataFrame, alike: str, simulated: Sequence[Still], path: Path = DOCUMENT
) -> None:
    """Draw patients' means of the main features, real against simulated, under four simulated stills."""
    with style():
        figure, axes = new_figure(
            11.6, 8.2, nrows=3, ncols=len(_SHOWN) // 2 * 2, height_ratios=[1.35, 1, 1], squeeze=False
        )
        for axis in axes[0]:
            axis.remove()
        grid = axes[0, 0].get_subplotspec().get_gridspec()
        for place, still in enumerate(_spread(simulated, 4)):
            axis = figure.add_subplot(grid[0, 2 * place : 2 * place + 2])
            axis.imshow(window(still), cmap="gray", vmin=0, vmax=255)
            axis.set_title(f"{still.device}, simulated", fontsize=9)
            axis.axis("off")
        for row, tissue in enumerate(TISSUES, start=1):
            for axis, feature in zip(axes[row], _SHOWN, strict=True):
                _densities(
                    axis, [_means(table, tissue, feature) for table in (real, made, made[made["device"] == alike])]
                )
                axis.set_title(feature.replace(", ", ",\n"), fontsize=8.5)
                tidy(axis)
            axes[row, 0].set_ylabel(tissue, fontsize=10, fontweight="bold")
        handles = [axes[1, 0].plot([], [], color=tone, linewidth=width)[0] for tone, width in _TONES]
        names = ["real (DDTI)", "simulated, all scanners", f"simulated, {alike} (described like DDTI's)"]
        figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=10)
        figure.suptitle("SIMULATED", x=0.995, ha="right", color="#8a2500", fontsize=8, fontweight="bold")
        figure.savefig(path, dpi=130, metadata={"Software": None})


_TONES = ((GREY, 5.0), (colour(0), 1.8), (colour(1), 1.8))


def _means(table: pd.DataFrame, tissue: str, feature: str) -> NDArray[np.float64]:
    rows = table[table["tissue"] == tissue]
    return rows.groupby("patient")[feature].mean().dropna().to_numpy(dtype=np.float64)


def _densities(axis: Any, groups: Sequence[NDArray[np.float64]]) -> None:
    from scipy.stats import gaussian_kde

    known = [values for values in groups if len(values) > 2 and values.std() > 0]
    together = np.concatenate(known)
    low, high = np.quantile(together, [0.005, 0.97])
    x = np.linspace(max(low - 0.1 * (high - low), 0.0), high + 0.15 * (high - low), 200)
    for place, values in enumerate(groups):
        if len(values) > 2 and values.std() > 0:
            density = gaussian_kde(values)(x)
            tone, width = _TONES[place]
            if place == 0:
                axis.fill_between(x, density, color=tone, alpha=0.35, linewidth=0)
            else:
                axis.plot(x, density, color=tone, linewidth=width)
    axis.set_yticks([])
    axis.set_ylim(bottom=0)
    axis.tick_params(labelsize=7.5, labelcolor=INK)


def window(still: Still) -> NDArray[np.uint8]:
    """Return the part around the lesion, 38 x 28 mm at 11 pixels a millimetre, black outside the picture."""
    rows, columns = np.nonzero(still.lesion)
    scale = still.spacing_mm * _PIXELS
    grey = cv2.cvtColor(still.rgb, cv2.COLOR_RGB2GRAY)
    x0, y0, x1, y1 = (round(value) for value in still.area)
    masked = np.zeros_like(grey)
    masked[y0:y1, x0:x1] = grey[y0:y1, x0:x1]
    width, height = (round(side * _PIXELS) for side in _WINDOW_MM)
    x, y = columns.mean(), rows.mean()
    move = np.array([[scale, 0, width / 2 - scale * x], [0, scale, height / 2 - scale * y]])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(masked, move, (width, height), flags=way), dtype=np.uint8)


def _spread(stills: Sequence[Still], count: int) -> list[Still]:
    """Return pictures of as many scanners as there are, spread over the list."""
    by_device: dict[str, list[Still]] = {}
    for still in stills:
        by_device.setdefault(still.device, []).append(still)
    queues = [by_device[name] for name in sorted(by_device)]
    chosen: list[Still] = []
    place = 0
    while len(chosen) < min(count, len(stills)):
        queue = queues[place % len(queues)]
        index = place // len(queues)
        if index < len(queue):
            chosen.append(queue[(index * 7 + 3) % len(queue)])
        place += 1
    return chosen


def draw_panels(real: Sequence[Still], made: Sequence[Still], folder: Path, rows: int = 5) -> None:
    """Draw real pictures (left two columns) beside simulated ones (right two) at one scale, around the nodule."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for sheet in range(3):
        picked = [real[index] for index in random.choice(len(real), 2 * rows, replace=False)]
        against = [made[index] for index in random.choice(len(made), 2 * rows, replace=False)]
        with style():
            figure, axes = new_figure(16, 3.05 * rows, nrows=rows, ncols=4, squeeze=False)
            for place, (axis, still) in enumerate(
                zip(axes[:, :2].ravel().tolist() + axes[:, 2:].ravel().tolist(), picked + against, strict=True)
            ):
                axis.imshow(window(still), cmap="gray", vmin=0, vmax=255)
                origin = "real" if place < 2 * rows else "SIMULATED"
                axis.set_title(f"{origin}: {still.source} {still.name} {still.device}", fontsize=8)
                axis.axis("off")
            figure.savefig(folder / f"side_by_side_{sheet}.png", dpi=80)
