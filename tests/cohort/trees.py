"""Public data sets in small: synthetic trees in the exact layouts that their owners publish."""

import json
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 40, 56


def picture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).integers(30, 200, (height, width), dtype=np.uint8)


def lesion(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[8:24, 16:40] = True
    return mask


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    Image.fromarray(pixels).save(path, **options)
    return path


def save_mask(path: Path, mask: np.ndarray | None = None) -> Path:
    return save(path, (lesion() if mask is None else mask).astype(np.uint8) * 255)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def write_tn3k(folder: Path, trainval: int = 8, test: int = 4) -> Path:
    """``0000.jpg`` stands in both parts; every third is malignant; fold k validates the positions k, k + 5, …"""
    for part, count, first in (("trainval", trainval, 0), ("test", test, 100)):
        rows = []
        for number in range(count):
            name = f"{number:04}.jpg"
            save(folder / f"{part}-image" / name, np.stack([picture(first + number)] * 3, axis=2))
            save_mask(folder / f"{part}-mask" / name)
            rows.append(f"{name},{int(number % 3 == 0)}")
        (folder / f"label4{part}.csv").write_text("\n".join(rows) + "\n")
    for fold in range(5):
        val = [number for number in range(trainval) if number % 5 == fold]
        content = {"train": [number for number in range(trainval) if number not in val], "val": val}
        (folder / f"tn3k-trainval-fold{fold}.json").write_text(json.dumps(content))
    return folder


def write_tn5000(base: Path, counts: tuple[int, int, int] = (6, 2, 3)) -> Path:
    """Train, val, test; names of six digits; odd numbers are malignant; VOC's corners count from 1."""
    folder, number = base / "TN5000_forReview", 0
    lists: dict[str, list[str]] = {}
    for part, count in zip(("train", "val", "test"), counts, strict=True):
        lists[part] = []
        for _ in range(count):
            number += 1
            name = f"{number:06}"
            save(folder / "JPEGImages" / f"{name}.jpg", picture(number))
            write_voc(folder / "Annotations" / f"{name}.xml", [(str(number % 2), (17, 9, 40, 24))])
            lists[part].append(name)
    lists["trainval"] = lists["train"] + lists["val"]
    for part, names in lists.items():
        path = folder / "ImageSets" / "Main" / f"{part}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(names) + "\n")
    return base


def write_voc(path: Path, boxes: list[tuple[str, tuple[int, int, int, int]]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = "".join(
        f"<object><name>{label}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult><bndbox>"
        f"<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for label, (x0, y0, x1, y1) in boxes
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    path.write_text(
        f"<annotation><folder>JPEGImages</folder><filename>{path.stem}.jpg</filename>{size}{objects}</annotation>"
    )


def write_tnscui(folder: Path, count: int = 6) -> Path:
    rows = ["ID,CATE"]
    for number in range(1, count + 1):
        save(folder / "image" / f"{number}.PNG", picture(number))
        save_mask(folder / "mask" / f"{number}.PNG")
        rows.append(f"{number}.PNG,{number % 2}")
    (folder / "train.csv").write_text("\n".join(rows) + "\n")
    return folder


def thyroidxl_record(images: list[str], conclusion: int, **values: object) -> dict:
    nodule = {
        "Position": "Left lobe",
        "Width": 22.0,
        "Height": 14.0,
        "Depth": None,
        "TIRADS": 4,
        "FNAC": "2",
        "Conclusion": "",
        "Histopathology": None,
    }
    return {
        "age": 60,
        "gender": 2,
        "conclusion": conclusion,
        "nodule_1": nodule,
        "nodule_2": None,
        "images": images,
        **values,
    }


def write_thyroidxl(folder: Path, train: int = 5, test: int = 3) -> Path:
    """Two pictures a patient; the conclusions 1, 2, 3, 4 in turn."""
    records, number = {}, 0
    for part, count in (("train", train), ("test", test)):
        names = []
        for _ in range(count):
            number += 1
            patient = f"{number:08}"
            images = [f"{patient}_{code}_{index}.png" for index, code in enumerate(("2201CE11", "A73CED93"))]
            for index, name in enumerate(images):
                save(folder / part / "images" / name, picture(10 * number + index))
                save_mask(folder / part / "masks" / name)
                label = folder / part / "labels" / f"{name[:-4]}.txt"
                label.parent.mkdir(exist_ok=True)
                label.write_text("0 0.5 0.4 0.43 0.4\n")
            records[patient] = thyroidxl_record(images, (number - 1) % 4 + 1)
            names.append(patient)
        (folder / "stats").mkdir(exist_ok=True)
        (folder / "stats" / f"{part}_patients.txt").write_text("\n".join(names) + "\n")
    write_records(folder, records)
    return folder


def write_records(folder: Path, records: dict) -> None:
    (folder / "stats" / "id2info_eng.json").write_text(json.dumps(records))


def read_records(folder: Path) -> dict:
    return json.loads((folder / "stats" / "id2info_eng.json").read_text())


def write_auitd(folder: Path) -> Path:
    """Names repeat between the folders, as in the set."""
    seed = 0
    for part, count in (("train", 3), ("test", 2)):
        for kind in ("Benign", "Malignant", "normal thyroid"):
            for number in range(count):
                seed += 1
                save(folder / part / kind / f"image ({number}).jpg", picture(seed))
    return folder


STANFORD_HEAD = (
    "annot_id,age,sex,location,size_x,size_y,size_z,ti-rads_composition,ti-rads_echogenicity,ti-rads_shape,"
    "ti-rads_margin,ti-rads_echogenicfoci,ti-rads_level,histopath_diagnosis"
)


def write_stanford(
    folder: Path,
    annot_ids: tuple[str, ...] = ("202_", "7_", "44_"),
    frames: tuple[int, ...] = (5, 3, 4),
    height: int = HEIGHT,
    width: int = WIDTH,
    chunk: int = 1,
) -> Path:
    """Frames of the clips lie shuffled in one array, as the layout allows; the first clip is malignant."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(annot_id, number) for annot_id, count in zip(annot_ids, frames, strict=True) for number in range(count)]
    order = np.random.default_rng(0).permutation(len(rows))
    with h5py.File(folder / "dataset.hdf5", "w") as stream:
        shape = (len(rows), height, width)
        for name in ("image", "mask"):
            stream.create_dataset(name, shape, "uint8", chunks=(chunk, height, width), compression="gzip")
        stream["annot_id"] = np.array([rows[place][0].encode() for place in order], dtype="S8")
        stream["frame_num"] = np.array([rows[place][1] for place in order], dtype="int64")
        for at, place in enumerate(order):
            clip, number = rows[place]
            stream["image"][at] = stanford_frame(clip, number, height, width)
            stream["mask"][at] = lesion(height, width).astype(np.uint8) * 255 if number else 0
    lines = [
        f"{annot_id},{50 + place},Female,right,1.2,{2.5 + place},0.9,2,2,3,2,3,5,{int(place == 0)}"
        for place, annot_id in enumerate(annot_ids)
    ]
    (folder / "metadata.csv").write_text("\n".join([STANFORD_HEAD, *lines]) + "\n")
    return folder


def stanford_frame(annot_id: str, number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return picture(1000 * int(annot_id.split("_")[0]) + number, height, width)
