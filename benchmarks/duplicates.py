"""Duplicates: what `isthmus cohort check` finds of planted copies, and how often it is wrong.

Copies are planted of real pictures (DDTI, breast stills) and of simulated ones: mirrored, turned, cropped, compressed,
rescaled, brighter, and together. Thresholds are confirmed on one half of the patients (`--half set`); the figures are
those of the other. Different patients' pictures say how many pairs are wrongly called the same; those that eyes found
to be the same indeed are named in duplicates_judged.json, and the rest count as wrong. Neighbouring frames of sweeps
say where "the same picture" ends.
"""

import argparse
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from real_pictures import data_folder

import tables
from isthmus.cohort.duplicate_candidates import CandidateIndex
from isthmus.cohort.duplicate_features import Features, features_of, oriented_picture
from isthmus.cohort.duplicate_proof import prove
from isthmus.cohort.near_duplicates import CERTAIN, PROBABLE, KnownPictures, find_near_duplicates
from isthmus.imaging.read import read_clip
from isthmus.imaging.region import find_scan_area
from isthmus.statistics.proportions import wilson

Picture = NDArray[np.uint8]
LAGS = (1, 2, 3, 5, 8, 12)


@dataclass(frozen=True, eq=False)
class Known:
    """A picture of the pool."""

    source: str
    name: str
    patient: str
    path: Path


def pool(folder: Path, cohort: Path | None, half: str) -> list[Known]:
    """Return the pictures of half of the patients, of identical files one."""
    found = [
        Known("DDTI", path.stem, path.stem.split("_")[0], path) for path in sorted((folder / "ddti").glob("*.jpg"))
    ]
    study = folder / "breast_reader_study"
    if study.is_dir():
        rows = pd.read_csv(study / "manifest.csv", dtype=str)
        found += [Known("breast", row.image, row.patient_id, study / row.image) for row in rows.itertuples(index=False)]
    if cohort is not None:
        views = pd.read_csv(cohort / "views.csv", dtype=str).merge(pd.read_csv(cohort / "nodules.csv", dtype=str))
        found += [Known("simulated", row.view_id, row.patient_id, cohort / row.path) for row in views.itertuples()]
    seen: dict[str, Known] = {}
    for one in found:
        on_half = int(hashlib.sha256(f"{one.source}{one.patient}".encode()).hexdigest(), 16) % 2
        if on_half == (half == "report"):
            pixels = read(one.path)
            seen.setdefault(hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest(), one)
    return list(seen.values())


def read(path: Path) -> Picture:
    """Return a picture with three channels."""
    frame = read_clip(path, frames=[0]).frames[0]
    return np.ascontiguousarray(np.broadcast_to(frame, (*frame.shape[:2], 3)))


def compressed(picture: Picture, quality: int) -> Picture:
    """Return the picture as JPEG leaves it."""
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR), np.uint8
    )


def rescaled(picture: Picture, factor: float) -> Picture:
    """Return the picture with other pixels."""
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way), np.uint8)


def brighter(picture: Picture, contrast: float, brightness: float) -> Picture:
    """Return the picture with other greys; black background stays."""
    changed = np.clip(picture * contrast + brightness, 0, 255).astype(np.uint8)
    return np.asarray(np.where(picture.max(axis=2, keepdims=True) > 2, changed, picture), np.uint8)


def cropped(picture: Picture, share: float, generator: np.random.Generator) -> Picture:
    """Return a part of the scan area, this share of its width and height."""
    x0, y0, x1, y1 = (int(value) for value in find_scan_area(picture).box)
    width, height = int((x1 - x0) * share), int((y1 - y0) * share)
    x, y = x0 + int(generator.integers(x1 - x0 - width + 1)), y0 + int(generator.integers(y1 - y0 - height + 1))
    return picture[y : y + height, x : x + width]


def out_of_double(picture: Picture, other: Picture) -> tuple[Picture, Picture]:
    """Return a double screen of both pictures' scan areas, and the left one cut out of it and compressed."""
    panels = []
    for each in (picture, other):
        x0, y0, x1, y1 = (int(value) for value in find_scan_area(each).box)
        panels.append(cv2.resize(each[y0:y1, x0:x1], (300, 260), interpolation=cv2.INTER_AREA))
    screen = np.zeros((340, 680, 3), np.uint8)
    screen[40:300, 30:330], screen[40:300, 334:634] = panels
    return screen, compressed(np.ascontiguousarray(screen[40:300, 30:330]), 85)


PLANTS: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {
    "mirrored": lambda p, g: oriented_picture(p, 1),
    "upside down": lambda p, g: oriented_picture(p, 2),
    "turned by 90 degrees, mirrored": lambda p, g: oriented_picture(p, 4),
    "JPEG quality 95": lambda p, g: compressed(p, 95),
    "JPEG quality 60": lambda p, g: compressed(p, 60),
    "JPEG quality 30": lambda p, g: compressed(p, 30),
    "rescaled to 50 %": lambda p, g: rescaled(p, 0.5),
    "rescaled to 150 %": lambda p, g: rescaled(p, 1.5),
    "squeezed to 224 x 224": lambda p, g: np.asarray(cv2.resize(p, (224, 224), interpolation=cv2.INTER_AREA)),
    "contrast 60 %": lambda p, g: brighter(p, 0.6, 0),
    "contrast 130 %, brightness +20": lambda p, g: brighter(p, 1.3, 20),
    "brightness +40": lambda p, g: brighter(p, 1, 40),
    "gamma 0.6": lambda p, g: (255 * (p / 255.0) ** 0.6).astype(np.uint8),
    "crop to 90 % of each side": lambda p, g: cropped(p, 0.9, g),
    "crop to 75 % of each side": lambda p, g: cropped(p, 0.75, g),
    "crop to 60 % of each side": lambda p, g: cropped(p, 0.6, g),
    "crop to 50 % of each side": lambda p, g: cropped(p, 0.5, g),
    "crop to 40 % of each side": lambda p, g: cropped(p, 0.4, g),
    "mirrored, crop to 70 %, rescaled to 70 %, darker, JPEG quality 40": lambda p, g: compressed(
        brighter(rescaled(cropped(oriented_picture(p, 1), 0.7, g), 0.7), 0.8, 10), 40
    ),
}


def recall(known: list[Known], each: int) -> list[dict[str, Any]]:
    """Return a row for each source and kind of copy: how many of the planted were found."""
    generator = np.random.default_rng(0)
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for source in dict.fromkeys(one.source for one in known):
        mine = [one for one in known if one.source == source]
        chosen = [mine[place] for place in sorted(generator.permutation(len(mine))[:each])]
        sides: list[int] = []
        with KnownPictures() as pictures:
            for one in mine:
                _add(pictures, sides, one.name, read(one.path), 0)
            for number, one in enumerate(chosen):
                for name, picture, other in _planted(one, chosen[number - 1], generator):
                    _add(pictures, sides, f"{one.name}|{name}", picture, 1)
                    if other is not None:
                        _add(pictures, sides, f"{one.name}|screen", other, 0)
            pairs = {(pair.first, pair.second): pair for pair in find_near_duplicates(pictures, sides)}
        for one in chosen:
            for name in (*PLANTS, "cut out of a double screen"):
                original = f"{one.name}|screen" if name.startswith("cut") else one.name
                pair = pairs.get((original, f"{one.name}|{name}")) or pairs.get((f"{one.name}|{name}", original))
                found[source, name].append("missed" if pair is None else pair.certainty)
    return [_recall_row(source, name, outcomes) for (source, name), outcomes in found.items()]


def _add(pictures: KnownPictures, sides: list[int], name: str, picture: Picture, side: int) -> None:
    for each in features_of(picture):
        pictures.add(name, each)
        sides.append(side)


def _planted(one: Known, other: Known, generator: np.random.Generator) -> Iterator[tuple[str, Picture, Picture | None]]:
    picture = read(one.path)
    for name, plant in PLANTS.items():
        yield name, np.ascontiguousarray(plant(picture, generator)), None
    screen, part = out_of_double(picture, read(other.path))
    yield "cut out of a double screen", part, screen


def _recall_row(source: str, name: str, outcomes: list[str]) -> dict[str, Any]:
    got = sum(outcome != "missed" for outcome in outcomes)
    interval = wilson(got, len(outcomes))
    return {
        "question": "planted copies found",
        "of": source,
        "kind": name,
        "n": len(outcomes),
        "found": got,
        "as certain": sum(outcome == "certain" for outcome in outcomes),
        "share": interval.estimate,
        "95 % interval": f"{interval.low:.3f} to {interval.high:.3f}",
    }


def false_alarms(known: list[Known], judged: dict[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each source: pairs of different patients called the same; and those nobody has looked at."""
    rows, unseen = [], []
    for source in dict.fromkeys(one.source for one in known):
        mine = {one.name: one for one in known if one.source == source}
        with KnownPictures() as pictures:
            for one in mine.values():
                _add(pictures, [], one.name, read(one.path), 0)
            pairs = find_near_duplicates(pictures)
        across = [pair for pair in pairs if mine[pair.first].patient != mine[pair.second].patient]
        keys = [f"{source}: {pair.first}, {pair.second}" for pair in across]
        unseen += [f"{key} ({pair.correlation})" for key, pair in zip(keys, across, strict=True) if key not in judged]
        wrong = sum(judged.get(key) != "same" for key in keys)
        patients = pd.Series([one.patient for one in mine.values()]).value_counts()
        total = len(mine) * (len(mine) - 1) // 2 - int((patients * (patients - 1) // 2).sum())
        interval = wilson(wrong, total)
        rows.append(
            {
                "question": "pairs of different patients called the same",
                "of": source,
                "kind": f"{len(mine)} pictures; {len(keys) - wrong} more pairs are the same picture indeed",
                "n": total,
                "found": wrong,
                "as certain": sum(
                    pair.certainty == "certain" and judged.get(key) != "same"
                    for key, pair in zip(keys, across, strict=True)
                ),
                "share": interval.estimate,
                "95 % interval": f"{1e6 * interval.low:.2g} to {1e6 * interval.high:.3g} in a million pairs; "
                f"{1000 * wrong / len(mine):.2g} in 1,000 pictures",
            }
        )
    return rows, unseen


def listed_as_identical(folder: Path) -> list[dict[str, Any]]:
    """Return a row: how many pictures that the breast study's table lists as identical to another have a pair."""
    study = folder / "breast_reader_study"
    rows = pd.read_csv(study / "manifest.csv", dtype=str)
    listed = rows[rows["duplicate_pixels"].notna()]["image"]
    with KnownPictures() as pictures:
        for name in listed:
            _add(pictures, [], name, read(study / name), 0)
        paired = {name for pair in find_near_duplicates(pictures) for name in (pair.first, pair.second)}
    return [
        _recall_row("breast", "pixels listed as identical", ["certain" if n in paired else "missed" for n in listed])
    ]


def neighbours(folder: Path) -> list[dict[str, Any]]:
    """Return a row for each distance of two frames of one sweep."""
    found: dict[int, list[float]] = defaultdict(list)
    for case in sorted((folder / "thyroid_cine_frames").glob("case*")):
        frames = [features_of(read(path))[0] for path in sorted((case / "images").glob("*.jpg"))]
        for lag in LAGS:
            for first, second in zip(frames[::2], frames[lag::2], strict=False):
                proof = prove(first, second, 0)
                found[lag].append(0.0 if proof is None else proof.correlation)
    rows = []
    for lag, values in found.items():
        several = np.array(values)
        interval = wilson(int((several >= PROBABLE).sum()), len(several))
        rows.append(
            {
                "question": "frames of one sweep called the same (they are one scan)",
                "of": "thyroid sweeps",
                "kind": f"{lag} frames apart, median correlation {np.median(several):.2f}",
                "n": len(several),
                "found": int((several >= PROBABLE).sum()),
                "as certain": int((several >= CERTAIN).sum()),
                "share": interval.estimate,
                "95 % interval": f"{interval.low:.3f} to {interval.high:.3f}",
            }
        )
    return rows


def speed(known: list[Known], counts: list[int]) -> dict[str, float]:
    """Return processor seconds for features of a picture, and for the search among many.

    Many pictures are made of the features of the few: each takes its own at random from all of them.
    """
    start = time.process_time()
    few = [each for one in known[:100] for each in features_of(read(one.path))[:1]]
    facts = {"features of one picture, ms of processor": 1000 * (time.process_time() - start) / min(100, len(known))}
    places = np.concatenate([one.places for one in few])
    descriptors = np.concatenate([one.descriptors for one in few])
    generator = np.random.default_rng(0)
    for count in counts:
        with KnownPictures() as pictures:
            for number in range(count):
                own = generator.permutation(len(places))[:300]
                noisy = descriptors[own].astype(int) + generator.integers(-12, 13, (len(own), 128))
                taken = Features(few[0].small, few[0].area, places[own], noisy.clip(0, 255).astype(np.uint8))
                pictures.add(str(number), taken)
            start = time.process_time()
            index = CandidateIndex(pictures)
            candidates = sum(len(each) for _, each in index.candidates())
            facts[f"search among {count}, s of processor"] = time.process_time() - start
            facts[f"candidates among {count}"] = candidates
    start = time.process_time()
    for number in range(40):
        prove(few[number], few[-1 - number], 0)
    facts["proof of one candidate, ms of processor"] = 1000 * (time.process_time() - start) / 40
    return facts


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of real pictures; default: ISTHMUS_DATA")
    parser.add_argument("--cohort", type=Path, help="a simulated cohort of stills")
    parser.add_argument("--half", choices=("set", "report"), default="report", help="'set' prints only")
    parser.add_argument("--each", type=int, default=50, help="pictures of each source that copies are planted of")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000, 5000])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    folder = data_folder(options.data)
    known = pool(folder, options.cohort, options.half)
    judged = json.loads((Path(__file__).parent / "duplicates_judged.json").read_text(encoding="utf-8"))
    wrong, unseen = false_alarms(known, judged)
    rows = [*recall(known, options.each), *listed_as_identical(folder), *wrong, *neighbours(folder)]
    print("\n".join(["pairs to look at:", *unseen]))
    if options.half == "set":
        print(pd.DataFrame(rows).drop(columns="question").to_string())
        return
    facts = {"certain from": CERTAIN, "probable from": PROBABLE, **speed(known, options.sizes)}
    words = (
        "Shares with Wilson intervals; copies of one picture are not independent of each other, so read a row alone. "
        "Thresholds (correlation of fine texture) were chosen on DDTI pictures and sweeps while the search was built, "
        "before the patients were halved, and confirmed on the other half; breast and simulated pictures had no part "
        "in it."
    )
    tables.write("duplicates", {**facts, "not looked at": len(unseen), **tables.machine()}, rows, words)


if __name__ == "__main__":
    main()
