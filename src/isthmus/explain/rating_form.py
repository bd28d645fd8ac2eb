"""A form on which doctors rate heat maps: one page that works offline, blinded, its key kept apart."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.explain.case_drawing import enlarged
from isthmus.explain.kept_pictures import FILE
from isthmus.explain.legend import Colours
from isthmus.explain.overlay import as_colour, blend, to_png
from isthmus.files import new_folder, sha256_of_json, write_json, write_text
from isthmus.manifest import DISCLAIMER, version
from isthmus.tables.check import write_table
from isthmus.tables.ratings import ANCHORS, CRITERIA
from isthmus.tables.vocabulary import DESCRIPTORS, EXPERIENCE

TEMPLATES: Final = Path(__file__).parent / "templates"
MOST: Final = 300
"""Cases of a form: more would make a page that no browser likes, and a reader none."""

_KEPT: Final = ("view_id", "nodule_id", "group_id", "label", "call", "probability", "threshold", "heat_in_lesion")
_SECRET: Final = "isthmus rating form"


@dataclass(frozen=True)
class RatingForm:
    """A form on disk.

    Parameters
    ----------
    folder : Path
        With ``rating_form.html`` for the doctors, and ``key.csv`` and ``form.json`` for those who analyse.
    form : str
        Its name: a hash of its cases; in every file of ratings that comes back.
    arms : list of str
    cases : int
        Pictures to be rated: of several arms each case is one for each.
    without_heat : int
        Views that were not eligible because nothing spoke for the positive class.
    """

    folder: Path
    form: str
    arms: list[str]
    cases: int
    without_heat: int

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints with ``--json``."""
        return {
            "form": self.form,
            "page": str(self.folder / "rating_form.html"),
            "key": str(self.folder / "key.csv"),
            "arms": self.arms,
            "cases": self.cases,
            "without_heat": self.without_heat,
        }


def write_rating_form(
    explanations: Mapping[str, Path],
    destination: Path,
    *,
    title: str,
    positive: str,
    cases: int = 40,
    seed: int = 0,
    show_score: bool = False,
    marks: Sequence[str] = (),
) -> RatingForm:
    """Write the form, its key and its facts.

    Groups are drawn at random by the seed, and one view of each: the form's means then stand for the run's held-out
    cases. Every arm is shown on the same views. The order of all pictures is random, the same for all readers.

    Parameters
    ----------
    explanations : mapping
        Each arm's folder of explanations.
    destination : Path
        Folder to make.
    title : str
        Of the run.
    positive : str
        What the heat is evidence for, as shown.
    cases : int
        Patients (groups) to draw.
    seed : int
        Decides which, and their order.
    show_score : bool
        Show the model's probability and threshold; without it the form says neither label, call nor probability.
    marks : sequence of str
        ``SMOKE``, ``SIMULATED``.

    Raises
    ------
    InputError
        When the run kept no pictures, or too few have heat in all arms.
    """
    tables = {arm: _eligible(folder) for arm, folder in explanations.items()}
    without = max(table.attrs["without_heat"] for table in tables.values())
    chosen = _drawn(tables, cases, seed)
    rows = pd.concat(
        [table.loc[table["view_id"].isin(chosen)].assign(arm=arm) for arm, table in tables.items()], ignore_index=True
    )
    rows = rows.sort_values(["arm", "view_id"], ignore_index=True)
    rows = rows.iloc[np.random.default_rng([seed, 1]).permutation(len(rows))].reset_index(drop=True)
    rows.insert(0, "case", np.arange(1, len(rows) + 1))
    # The hash says which form it is and nothing of what it holds.
    shown = rows[["case", "arm", "view_id"]].to_numpy().tolist()
    form = sha256_of_json([_SECRET, shown, seed, show_score])[:16]
    facts = {
        "form": form,
        "title": title,
        "positive": positive,
        "cases": _shown_cases(rows, explanations, show_score),
        "criteria": [{"code": code, "words": words, "key": key} for code, (words, key) in CRITERIA.items()],
        "anchors": [{"rating": rating, "words": words} for rating, words in ANCHORS.items()],
        "experience": [{"code": code, "words": words} for code, words in EXPERIENCE.items()],
        "marks": list(marks),
        "notice": DISCLAIMER,
        "version": version(),
    }
    with new_folder(destination) as folder:
        write_text(folder / "rating_form.html", _page(facts))
        recorded = [name for name in (*DESCRIPTORS, "tirads", "size_mm") if name in rows.columns]
        write_table(folder / "key.csv", rows.assign(form=form)[["form", "case", "arm", *_KEPT, *recorded]])
        content: dict[str, Any] = {"format": "isthmus-rating-form/1.0", "form": form, "title": title}
        content |= {"arms": list(explanations), "groups": len(chosen), "cases": len(rows), "seed": seed}
        content |= {"show_score": show_score, "views_without_heat": without, "notice": DISCLAIMER}
        write_json(folder / "form.json", content)
    return RatingForm(destination, form, list(explanations), len(rows), without)


def _eligible(folder: Path) -> pd.DataFrame:
    """Return the views of an arm that have a kept picture and heat, with their place in ``heat.npy``."""
    missing = [name for name in ("localisation.csv", "heat.npy", FILE) if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"no {missing[0]} here", where=str(folder), expected="the explanations of a run",
            hint="repeat the run's command with --resume: it draws the heat maps anew",
        )  # fmt: skip
    text = dict.fromkeys(("view_id", "nodule_id", "group_id", "label", "call"), str)
    table = pd.read_csv(folder / "localisation.csv", dtype=text)
    heat = np.load(folder / "heat.npy", mmap_mode="r")
    table = table.assign(row=np.arange(len(table)))
    table = table[table["picture"].notna()]
    warm = np.array([bool(heat[row].any()) for row in table["row"]], dtype=bool)
    table = table[warm]
    table.attrs["without_heat"] = int((~warm).sum())
    return table


def _drawn(tables: Mapping[str, pd.DataFrame], cases: int, seed: int) -> list[str]:
    """Return the views to be rated: groups by chance, one view of each, the same for all arms."""
    if not 1 <= cases * len(tables) <= MOST:
        raise InputError(f"{cases} cases of {len(tables)} arms", expected=f"1 to {MOST} pictures in all")
    common = set.intersection(*(set(table["view_id"]) for table in tables.values()))
    first = next(iter(tables.values()))
    by_group = first[first["view_id"].isin(common)].sort_values("view_id").groupby("group_id")["view_id"].agg(list)
    if by_group.empty:
        raise InputError("no view has heat in every arm: there is nothing to rate", expected="arms with heat maps")
    random = np.random.default_rng([seed, 0])
    groups = random.permutation(sorted(by_group.index))[:cases]
    return [str(random.choice(by_group[group])) for group in groups]


def _shown_cases(rows: pd.DataFrame, explanations: Mapping[str, Path], show_score: bool) -> list[dict[str, Any]]:
    heat = {arm: np.load(folder / "heat.npy", mmap_mode="r") for arm, folder in explanations.items()}
    pictures = {arm: np.load(folder / FILE, mmap_mode="r") for arm, folder in explanations.items()}
    found = []
    for row in rows.to_dict("records"):
        picture = np.asarray(pictures[row["arm"]][int(row["picture"])])
        plain, warm = drawn_pair(picture, np.asarray(heat[row["arm"]][int(row["row"])]))
        case = {"case": int(row["case"]), "picture": _address(plain), "heat": _address(warm)}
        if show_score:
            case["score"] = f"Model: {row['probability']:.2f}; threshold {row['threshold']:.2f}."
        found.append(case)
    return found


def drawn_pair(picture: NDArray[np.uint8], small: NDArray[np.uint8]) -> tuple[Colours, Colours]:
    """Return what the network saw [h, w, C] in colours, and the same under its heat [s, s]."""
    plain = as_colour(picture)
    return plain, blend(plain, enlarged(small, picture.shape[0]))


def _address(pixels: Colours) -> str:
    stream = io.BytesIO()
    to_png(pixels).save(stream, format="JPEG", quality=92, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _page(facts: dict[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    # Inside a script element only "<" could end it.
    data = Markup(json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c"))
    script = Markup((TEMPLATES / "rating_form.js").read_text(encoding="utf-8"))
    return environment.get_template("rating_form.html.j2").render(facts=facts, data=data, script=script)
