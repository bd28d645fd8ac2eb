"""How every figure looks, and how it is kept: SVG beside PNG, with a text for those who cannot see it."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.files import write_bytes, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), told apart with any colour vision; yellow is left out, it is too pale for lines on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, GREY, PALE = "#1a1a1a", "#6b6b6b", "#c9c9c9"
_FONTS = ("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans")


Drawn = tuple["Figure", str, str]
"""A figure, its title, and what is read out of it."""


@dataclass(frozen=True)
class FigureFile:
    """A figure on disk: ``figures/<name>.svg`` and ``.png``."""

    name: str
    title: str
    alternative: str
    svg: Path
    png: Path


def colour(index: int) -> str:
    """Return the colour of the arm at this place."""
    return PALETTE[index % len(PALETTE)]


@contextmanager
def style() -> Iterator[None]:
    """Draw the block's figures in the house style, without touching the caller's settings or screen."""
    import matplotlib
    from matplotlib import font_manager

    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    settings: Any = {
        "font.family": "sans-serif",
        "font.sans-serif": [name for name in _FONTS if name in installed],
        "font.size": 9.0,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 9.0,
        "axes.edgecolor": GREY,
        "axes.linewidth": 0.7,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.color": INK,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "figure.facecolor": "white",
        "svg.fonttype": "path",
        "svg.hashsalt": "isthmus",
        "axes.unicode_minus": True,
        "text.parse_math": False,  # a dollar in a name is a dollar
    }
    with matplotlib.rc_context(settings):
        yield


def new_figure(width: float, height: float, **options: Any) -> tuple["Figure", Any]:
    """Return a figure (size in inches) and its axes, free of pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(**options)


def save(figure: "Figure", folder: Path, name: str, title: str, alternative: str, mark: str = "") -> FigureFile:
    """Write a figure as SVG and as PNG at 200 dots an inch; the same figure gives the same bytes.

    ``mark`` (SMOKE, SIMULATED) is printed above it, so that the figure keeps it when it leaves the report.
    """
    if mark:
        figure.suptitle(mark, x=0.995, ha="right", color="#8a2500", fontsize=8, fontweight="bold")
    _lay_out(figure)
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=200, metadata={"Software": None})
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    write_text(svg, stream.getvalue())
    write_bytes(png, picture.getvalue())
    return FigureFile(name, title, alternative, svg, png)


def _lay_out(figure: "Figure") -> None:
    """Place the figure's parts once, by the SVG's own measures of its texts; then both files are the same figure.

    Matplotlib draws a figure that has a layout engine twice for each file, once blind; without one it draws it once.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    engine, dots = figure.get_layout_engine(), figure.dpi
    if engine is not None:
        FigureCanvasSVG(figure)
        engine.execute(figure)
        figure.dpi = dots  # asking for the SVG's measures sets it to 72
        figure.set_layout_engine(None)


def inline_svg(file: FigureFile) -> str:
    """Return the SVG element for a page: no XML head, ids of its own, its alternative text inside.

    Matplotlib names ids alike in all files (``figure_1``, the glyphs); inside one page they would clash.
    """
    text = file.svg.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<title>.*?</title>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{file.name}-\1"', text)
    text = re.sub(r'((?:xlink:)?href)="#([^"]+)"', rf'\1="#{file.name}-\2"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{file.name}-\1)", text)
    label = _escape(file.alternative)
    text = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg\b[^>]*?) height="([\d.]+)pt"', r"\1", text, count=1)
    width = float((re.search(r'viewBox="0 0 ([\d.]+)', text) or _no_view_box(file)).group(1))
    opening = f'<svg role="img" aria-label="{label}" style="width:{width / 72:.2f}in;max-width:100%;height:auto"'
    return re.sub(r"\n\s+", "\n", text.replace("<svg", opening, 1)).strip()


def _no_view_box(file: FigureFile) -> re.Match[str]:
    raise ValueError(f"{file.svg.name} has no viewBox")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def tidy(axes: "Axes", *, grid: str = "") -> None:
    """Take off what carries no information; ``grid`` draws pale lines along ``x``, ``y`` or ``both``."""
    axes.tick_params(length=3)
    if grid:
        axes.set_axisbelow(True)
        axes.grid(visible=True, axis=grid, color="#e8e8e8", linewidth=0.7)  # type: ignore[arg-type]


def unit_square(axes: "Axes") -> None:
    """Make both axes run from 0 to 1 in a square, as for ROC, precision-recall and calibration curves."""
    axes.set_box_aspect(1)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    tidy(axes)
