"""Write a folder in DDTI's layout with synthetic pictures, for the tests.

The pictures are speckle with an ellipse in it; higher grades are a little darker, taller and have bright specks more
often, so that a network can learn something from them, and no more is claimed. `SIMULATED.txt` beside them says so.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 560, 360
SINGLE = ((87, 8, 472, 309),)
DOUBLE = ((35, 8, 280, 309), (280, 8, 526, 309))
CUT_AT = 2500  # characters, as in the real database
# Ten cases: four of TI-RADS 2 or 3, five higher, one without a grade.
GRADES = ("2", "4a", "3", "4b", "5", "2", "4c", "", "3", "4a")
WORDS = {
    "composition": ("solid", "predominantly solid", "spongiform", "predominantly cystic", "cystic"),
    "echogenicity": ("isoechogenicity", "hypoechogenicity", "hyperechogenicity", "marked hypoechogenicity"),
    "margins": ("well defined", "well defined smooth", "ill defined", "ill- defined", "spiculated", "microlobulated"),
    "calcifications": ("non", "microcalcification", "microcalcifications", "macrocalcifications"),
}


@dataclass
class Tree:
    """What was written: the folder, and each planted fault by name with the file that has it."""

    folder: Path
    planted: dict[str, str] = field(default_factory=dict)


@dataclass
class _Case:
    number: int
    grade: str
    fields: dict[str, str]
    marks: list[tuple[str, str]] = field(default_factory=list)  # picture number, svg


def write_ddti_tree(destination: Path | str, cases: int, seed: int, faults: bool = False) -> Tree:
    """Write ``cases`` faultless cases, numbered from 1, and with ``faults`` one case for each fault after them."""
    folder = Path(destination)
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: nothing is overwritten")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SIMULATED.txt").write_text("Synthetic pictures in DDTI's layout, made by a program.\n", encoding="utf-8")
    tree = Tree(folder)
    for number in range(1, cases + 1):
        generator = np.random.default_rng([seed, number])
        case = _new_case(number, GRADES[(number - 1) % len(GRADES)], generator)
        for picture in range(1, 3 if number % 5 == 0 else 2):
            _add_picture(folder, case, picture, generator, DOUBLE if generator.random() < 0.37 else SINGLE)
        _write_case(folder, case)
    if faults:
        _plant(tree, cases, seed)
    return tree


def _new_case(number: int, grade: str, generator: np.random.Generator) -> _Case:
    fields = {name: str(generator.choice(words)) for name, words in WORDS.items()} if grade else {}
    fields |= {"age": str(generator.integers(18, 85)), "sex": "M" if generator.random() < 0.2 else "F"} if grade else {}
    return _Case(number, grade, fields)


def _add_picture(
    folder: Path, case: _Case, picture: int, generator: np.random.Generator, panels: tuple[tuple[int, ...], ...]
) -> list[list[tuple[int, int]]]:
    """Draw and write one picture, give the case its mark, and return the outlines."""
    suspicious = case.grade not in {"2", "3"}
    canvas = np.zeros((HEIGHT, WIDTH), np.float32)
    outlines = []
    for panel in panels:
        pixels, outline = _panel(panel, suspicious, generator)
        canvas[panel[1] : panel[3], panel[0] : panel[2]] = pixels
        outlines.append(outline)
    grey = np.clip(canvas, 0, 255).astype(np.uint8)
    _scanner_screen(grey, f"TIRADS {case.grade.upper()}" if case.grade and case.number % 3 == 0 else "")
    Image.fromarray(grey).convert("RGB").save(folder / f"{case.number}_{picture}.jpg", quality=92)
    case.marks.append((str(picture), svg(outlines)))
    return outlines


def _panel(
    panel: tuple[int, ...], suspicious: bool, generator: np.random.Generator
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    x0, y0, x1, y1 = panel
    width, height = x1 - x0, y1 - y0
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    echo = 70 + 25 * np.sin(rows / generator.uniform(9, 16)) * np.exp(-rows / 60) - 40 * rows / height
    half_width = generator.uniform(22, 62)
    half_height = half_width * generator.uniform(*((0.6, 1.15) if suspicious else (0.5, 0.95)))
    cx = generator.uniform(half_width + 8, width - half_width - 8)
    cy = generator.uniform(half_height + 30, height - half_height - 60)
    inside = ((columns - cx) / half_width) ** 2 + ((rows - cy) / half_height) ** 2 <= 1
    echo[inside] *= float(np.clip(generator.normal(0.68 if suspicious else 0.95, 0.16), 0.3, 1.4))
    speckle = generator.rayleigh(1.0, (height, width)).astype(np.float32)
    # Speckle is wider across the beam than along it; blurring takes contrast, which is put back.
    speckle = cv2.GaussianBlur(speckle, (0, 0), sigmaX=2.4, sigmaY=1.0)
    # A second panel is scanned with another gain, so that there is a seam to find.
    gain = generator.uniform(0.6, 0.8) if panel == DOUBLE[1] else generator.uniform(0.9, 1.15)
    pixels = echo * gain * (1 + 1.6 * (speckle - speckle.mean()) / speckle.mean())
    if generator.random() < (0.6 if suspicious else 0.15):
        for _ in range(int(generator.integers(3, 9))):
            angle, radius = generator.uniform(0, 2 * np.pi), generator.uniform(0, 0.75)
            spot = (int(cx + radius * half_width * np.cos(angle)), int(cy + radius * half_height * np.sin(angle)))
            cv2.circle(pixels, spot, 1, 200.0, -1)
    turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    wobble = 1 + 0.03 * np.sin(5 * turns + generator.uniform(0, 6))
    xs, ys = x0 + cx + half_width * wobble * np.cos(turns), y0 + cy + half_height * wobble * np.sin(turns)
    # The lowest level keeps the panel apart from the black screen, as a scanner's noise does.
    return np.maximum(pixels, 8), [(round(float(x)), round(float(y))) for x, y in zip(xs, ys, strict=True)]


def _scanner_screen(canvas: np.ndarray, printed: str) -> None:
    canvas[160:250, 8:17] = np.linspace(255, 30, 90, dtype=np.float32)[:, None]
    lines = ("P100", "12L6", "9.0", "31fps", "DR65", "2DG", "92")
    for row, text in enumerate(lines):
        cv2.putText(canvas, text, (530, 14 + 12 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.3, 230.0, 1)
    cv2.putText(canvas, "DER", (100, 338), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 230.0, 1)
    if printed:
        cv2.putText(canvas, printed, (200, 338), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 230.0, 1)


def region(outline: list[tuple[int, int]], kind: str = "freehand") -> dict[str, object]:
    """Return an outline as DDTI stores it."""
    return {"points": [{"x": x, "y": y} for x, y in outline], "annotation": {}, "regionType": kind}


def svg(outlines: list[list[tuple[int, int]]]) -> str:
    """Return outlines as the text of a mark."""
    return json.dumps([region(outline) for outline in outlines])


def _write_case(folder: Path, case: _Case, number: str | None = None) -> Path:
    names = ("age", "sex", "composition", "echogenicity", "margins", "calcifications")
    parts = [f"<number>{number or case.number}</number>"]
    parts += [f"<{name}>{case.fields.get(name, '')}</{name}>" for name in names]
    parts += [f"<tirads>{case.grade}</tirads>", "<reportbacaf></reportbacaf>", "<reporteco>Jane Doe</reporteco>"]
    parts += [f"<mark><image>{index}</image><svg>{text}</svg></mark>" for index, text in case.marks]
    path = folder / f"{case.number}.xml"
    path.write_text(f"<case>{''.join(parts)}</case>", encoding="utf-8")
    return path


def _plant(tree: Tree, cases: int, seed: int) -> None:
    numbers = iter(range(cases + 1, cases + 1000))
    generator = np.random.default_rng([seed, 1_000_000])
    _plant_outlines(tree, numbers, generator)
    _plant_fields(tree, numbers, generator)
    _plant_files(tree, numbers, generator)
    _plant_duplicates(tree, numbers, generator)


def _plant_outlines(tree: Tree, numbers: Iterator[int], generator: np.random.Generator) -> None:
    def plant(name: str, text: str | None, panels: tuple[tuple[int, ...], ...] = SINGLE) -> list[list[tuple[int, int]]]:
        case = _new_case(next(numbers), "4a", generator)
        outlines = _add_picture(tree.folder, case, 1, generator, panels)
        if text is not None:
            case.marks = [("1", text)]
        _write_case(tree.folder, case)
        tree.planted[name] = f"{case.number}_1.jpg"
        return outlines

    def remark(name: str, text: str) -> None:
        path = tree.folder / f"{tree.planted[name].split('_')[0]}.xml"
        before, rest = path.read_text(encoding="utf-8").split("<svg>", 1)
        path.write_text(f"{before}<svg>{text}</svg>{rest.split('</svg>', 1)[1]}", encoding="utf-8")

    plant("empty mark", "")
    plant("mark is no JSON", "<![CDATA[no outline]]>")
    for name, keep in (("cut off, closed", 1.0), ("cut off, open", 0.5)):
        first, second = plant(name, None, DOUBLE)
        whole, tail = svg([first])[:-1] + ", ", svg([second])[1:]
        remark(name, (whole + tail)[: len(whole) + int(keep * tail.index("]"))])
    [outline] = plant("repeated and cut off", None)
    remark("repeated and cut off", svg([outline])[:-1] + ", " + svg([outline])[1:400])
    [outline] = plant("stored twice", None)
    remark("stored twice", svg([outline, outline]))
    [outline] = plant("arrow", None)
    remark("arrow", json.dumps([region(outline), region([(100, 100), (120, 150)], "arrow")]))
    [outline] = plant("several outlines", None)
    other = [(100, 20), (120, 20), (125, 30), (120, 40), (100, 40)]
    remark("several outlines", svg([outline, other]))
    across = [(250, 100), (310, 100), (320, 130), (310, 160), (250, 160)]
    plant("across two panels", svg([across]), DOUBLE)
    [outline] = plant("stray outline", None)
    remark("stray outline", svg([[(10, 320), (40, 320), (45, 335), (40, 350), (10, 350)], outline]))
    plant("leaves the panel a little", svg([[(83, 100), (200, 100), (220, 150), (200, 220), (83, 220)]]))
    plant("leaves the panel far", svg([[(60, 100), (120, 100), (130, 150), (120, 220), (60, 220)]]))


def _plant_fields(tree: Tree, numbers: Iterator[int], generator: np.random.Generator) -> None:
    odd = {
        "unknown sex": {"sex": "u"},
        "dense": {"composition": "dense"},
        "age in words": {"age": "Mr Smith"},
        "unknown word": {"margins": "Mr Smith"},
    }
    for name, fields in odd.items():
        case = _new_case(next(numbers), "4b", generator)
        case.fields |= fields
        _add_picture(tree.folder, case, 1, generator, SINGLE)
        tree.planted[name] = _write_case(tree.folder, case).name
    case = _new_case(next(numbers), "9z", generator)
    _add_picture(tree.folder, case, 1, generator, SINGLE)
    tree.planted["unknown grade"] = _write_case(tree.folder, case).name


def _plant_files(tree: Tree, numbers: Iterator[int], generator: np.random.Generator) -> None:
    folder = tree.folder

    def case_with_picture(grade: str = "4a") -> _Case:
        case = _new_case(next(numbers), grade, generator)
        _add_picture(folder, case, 1, generator, SINGLE)
        return case

    case = case_with_picture()
    (folder / f"{case.number}.xml").write_bytes(b"this is no XML <case>")
    tree.planted["not XML"] = f"{case.number}.xml"
    case = case_with_picture()
    bomb = '<?xml version="1.0"?><!DOCTYPE case [<!ENTITY a "aaaaaaaa">]><case><number>&a;</number></case>'
    (folder / f"{case.number}.xml").write_text(bomb, encoding="utf-8")
    tree.planted["entities"] = f"{case.number}.xml"
    case = case_with_picture()
    tree.planted["another number"] = _write_case(folder, case, number="999999").name
    case = case_with_picture()
    path = folder / f"{case.number}_1.jpg"
    path.write_bytes(path.read_bytes()[:9000])
    _write_case(folder, case)
    tree.planted["truncated picture"] = path.name
    case = _Case(next(numbers), "4a", {}, [("1", svg([[(100, 100), (150, 100), (160, 120), (150, 150), (100, 150)]]))])
    tree.planted["case without a picture"] = _write_case(folder, case).name
    case = case_with_picture()
    tree.planted["picture without a case"] = f"{case.number}_1.jpg"
    case = case_with_picture()
    case.marks = []
    _write_case(folder, case)
    tree.planted["picture without a mark"] = f"{case.number}_1.jpg"
    case = case_with_picture()
    case.marks *= 2
    _write_case(folder, case)
    tree.planted["two marks"] = f"{case.number}_1.jpg"
    (folder / "scan.jpg").write_bytes((folder / f"{case.number}_1.jpg").read_bytes())
    (folder / "notes.xml").write_text("<notes/>", encoding="utf-8")
    tree.planted |= {"picture of another name": "scan.jpg", "case file of another name": "notes.xml"}


def _plant_duplicates(tree: Tree, numbers: Iterator[int], generator: np.random.Generator) -> None:
    folder = tree.folder

    def pair(name: str, first_grade: str, second_grade: str) -> None:
        first = _new_case(next(numbers), first_grade, generator)
        _add_picture(folder, first, 1, generator, SINGLE)
        second = _new_case(next(numbers), second_grade, generator)
        _add_picture(folder, second, 1, generator, SINGLE)
        second.marks += [("2", first.marks[0][1])]
        (folder / f"{second.number}_2.jpg").write_bytes((folder / f"{first.number}_1.jpg").read_bytes())
        for case in (first, second):
            _write_case(folder, case)
        tree.planted[name] = f"{first.number}_1.jpg"
        tree.planted[f"{name}, the other"] = f"{second.number}_2.jpg"

    pair("same picture, second labelled", "", "4c")
    pair("same picture, contradicting labels", "2", "5")
    case = _new_case(next(numbers), "3", generator)
    _add_picture(folder, case, 1, generator, SINGLE)
    case.marks.append(("2", ""))
    (folder / f"{case.number}_2.jpg").write_bytes((folder / f"{case.number}_1.jpg").read_bytes())
    _write_case(folder, case)
    tree.planted["same picture within a case"] = f"{case.number}_2.jpg"
