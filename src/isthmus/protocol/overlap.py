"""Patients who stand in two cohorts: by their ids at one site, and by pictures that both hold."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from isthmus.cohort.check_views import digest_of
from isthmus.cohort.cohort import Cohort
from isthmus.cohort.near_duplicates import compare_cohorts
from isthmus.errors import CohortError, PictureError
from isthmus.files import read_json, write_json, write_text
from isthmus.progress import Progress

Kind = Literal["same id at the same site", "same picture", "copied picture", "perhaps a copied picture"]
DIGESTS = "digests.json"
_NAMED = 5


@dataclass(frozen=True)
class Shared:
    """What two cohorts have in common: a patient, or a picture with its patients."""

    kind: Kind
    own_patient: str
    other_patient: str
    own_picture: str = ""
    other_picture: str = ""
    words: str = ""

    @property
    def proves(self) -> bool:
        """Whether one patient is known to stand in both."""
        return self.kind != "perhaps a copied picture"


def find_overlap(own: Cohort, other: Cohort, progress: Progress | None = None) -> list[Shared]:
    """Return what two cohorts share.

    Ids are local to a cohort: they count only where both cohorts name the same site, and never in simulations, which
    number their virtual patients alike. Pictures are compared pixel by pixel, and then as copies: mirrored, cropped,
    saved anew; but nobody handles the pictures of two simulations, so that they are not looked at as copies.
    """
    virtual = own.simulated and other.simulated
    found = [] if virtual else _by_id(own, other)
    known = picture_digests(own, progress)
    exact = {
        (path, twin)
        for digest, paths in picture_digests(other, progress).items()
        for path in paths
        for twin in known.get(digest, [])
    }
    patients = _patients(own), _patients(other)
    found += [
        Shared("same picture", patients[0][ours], patients[1][theirs], ours, theirs) for theirs, ours in sorted(exact)
    ]

    if virtual:
        return found

    def move(done: int, total: int, name: str) -> None:
        if progress is not None:
            progress("looking for shared pictures", done, total)

    for pair in compare_cohorts(own, other, move):
        if (pair.second, pair.first) not in exact:
            kind: Kind = "copied picture" if pair.certainty == "certain" else "perhaps a copied picture"
            names = patients[0][pair.first], patients[1][pair.second]
            found.append(Shared(kind, *names, pair.first, pair.second, pair.words))
    return found


def refuse_overlap(
    own: Cohort, other: Cohort, kept: Path, listing: Path, progress: Progress | None = None
) -> list[Shared]:
    """Return what two cohorts share where it proves nothing; refuse them where a patient stands in both.

    Parameters
    ----------
    own, other : Cohort
        The cohort that networks were trained on, and the one they are validated on.
    kept : Path
        JSON of an earlier comparison of the same two, read instead of comparing again where it is there.
    listing : Path
        CSV that gets the whole list where they are refused.
    progress : callable, optional
        Called with what, done, total.

    Raises
    ------
    CohortError
        With the first patients and pictures, and where all are listed.
    """
    if kept.is_file():
        return [Shared(**one) for one in read_json(kept, name="overlap")["shared"]]
    shared = find_overlap(own, other, progress)
    proven = [one for one in shared if one.proves]
    if proven:
        raise refusal(proven, other, listing)
    return shared


def keep_overlap(path: Path, shared: Iterable[Shared]) -> None:
    """Write what :func:`refuse_overlap` returned, for a run that goes on."""
    write_json(path, {"format": "isthmus-overlap/1.0", "shared": [asdict(one) for one in shared]})


def refusal(proven: list[Shared], other: Cohort, listing: Path) -> CohortError:
    """Return the error for patients in both cohorts, having listed them all."""
    table = pd.DataFrame([asdict(one) for one in proven])
    write_text(listing, table.to_csv(index=False))
    counts = table["kind"].value_counts()
    named = "; ".join(
        f"{one.other_patient}{f' ({one.other_picture} is {one.own_picture})' if one.other_picture else ''}: {one.kind}"
        for one in proven[:_NAMED]
    )
    ids = "same id at the same site" in counts
    return CohortError(
        f"{table['other_patient'].nunique()} patients of {other.name} stand in the training cohort too "
        f"({', '.join(f'{count} by {kind}' for kind, count in counts.items())}): {named}"
        + (" …" if len(proven) > _NAMED else ""),
        expected="patients whom the networks never saw",
        hint=f"all are listed in {listing.name}; take them out of one cohort"
        + (", or, where they are other people, give the site another name in one patients.csv" if ids else ""),
    )


def picture_digests(cohort: Cohort, progress: Progress | None = None) -> dict[str, list[str]]:
    """Return for each digest of pixels (of a clip's bytes) the pictures that have it; unreadable ones are left out."""
    digests: dict[str, list[str]] = {}
    paths = sorted(set(cohort.views["path"]))
    for done, path in enumerate(paths, start=1):
        try:
            digests.setdefault(digest_of(cohort.folder, path), []).append(path)
        except PictureError:
            continue
        finally:
            if progress is not None:
                progress(f"pictures of {cohort.name}", done, len(paths))
    return digests


def keep_digests(run_folder: Path, cohort: Cohort) -> None:
    """Keep in a run the digests of its pictures, and whether its ids are patients': `validate` compares by them."""
    path = run_folder / DIGESTS
    if not path.is_file():
        content = {"patient_ids": cohort.patient_ids, "digests": sorted(picture_digests(cohort))}
        write_json(path, {"format": "isthmus-digests/1.0", **content})


def run_compares_ids(run_folder: Path) -> bool:
    """Return whether the ids in a run's predictions are patients' (a run of before this was kept does not say)."""
    return bool(read_json(run_folder / DIGESTS, name="digests").get("patient_ids") == "real")


def shared_with_run(
    run_folder: Path, own_patients: pd.DataFrame, other: Cohort, progress: Progress | None = None
) -> list[Shared]:
    """Return what a cohort shares with a run's own: patients, and pictures by the digests that the run keeps.

    Parameters
    ----------
    run_folder : Path
        With the digests.
    own_patients : DataFrame
        `patient_id` and `site` of the run's patients; empty where their ids tell nothing.
    other : Cohort
        Of other patients, it is hoped.
    progress : callable, optional
        Called with what, done, total.
    """
    known = set(read_json(run_folder / DIGESTS, name="digests")["digests"])
    patients = _patients(other)
    found = [] if other.patient_ids == "absent" else _same_ids(own_patients, other.patients)
    return found + [
        Shared("same picture", "", patients[path], "a training picture", path)
        for digest, paths in picture_digests(other, progress).items()
        if digest in known
        for path in paths
    ]


def _by_id(own: Cohort, other: Cohort) -> list[Shared]:
    if "absent" in (own.patient_ids, other.patient_ids):
        return []  # then an id is a picture's number
    return _same_ids(own.patients, other.patients)


def _same_ids(own: pd.DataFrame, other: pd.DataFrame) -> list[Shared]:
    keys = ["patient_id", "site"]
    both = own[keys].drop_duplicates().merge(other[keys].drop_duplicates(), on=keys)
    both = both[both["site"].notna() & (both["site"] != "")]
    return [Shared("same id at the same site", one, one) for one in sorted(both["patient_id"].astype(str))]


def _patients(cohort: Cohort) -> Mapping[str, str]:
    joined = cohort.views[["path", "nodule_id"]].merge(cohort.nodules[["nodule_id", "patient_id"]], on="nodule_id")
    return dict(zip(joined["path"].tolist(), joined["patient_id"].astype(str).tolist(), strict=True))
