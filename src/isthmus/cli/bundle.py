"""Bundle: a model in one file for others, what it is, and back into a folder."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, app, show

bundle_app = typer.Typer(
    no_args_is_help=True,
    help="Hand a model on: pack it into one checked file, look at one, and unpack it again.",
)
app.add_typer(bundle_app, name="bundle")

_BundleArgument = Annotated[Path, typer.Argument(help="Bundle folder: RUN/arms/ARM/bundle, of an arm or a fusion.")]


@bundle_app.command("pack")
def bundle_pack(
    bundle: _BundleArgument,
    file: Annotated[Path, typer.Argument(help="Zip file to make.")],
    cohort: Annotated[
        Path | None, typer.Option("--cohort", help="The cohort it was trained on: its ids are looked for in all texts.")
    ] = None,
    with_training_rows: Annotated[
        bool,
        typer.Option("--with-training-rows", help="Also where it keeps a row of numbers for single patients."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a model into one zip with a manifest of hashes; the same bundle gives the same bytes.

    Refused: a bundle that was altered or holds other files; one in which a patient's id, a DICOM UID or an absolute
    path stands; one that does not state the licence of its cohort and weights, its intended use and its limits.
    """
    from isthmus.models.bundle_archive import pack_bundle

    ids = _ids(bundle, cohort)
    manifest = pack_bundle(bundle, file, cohort_ids=ids, with_training_rows=with_training_rows)
    looked = f"{manifest['ids_looked_for']} ids of the cohort looked for, none found" if cohort else ""
    lines = [f"{file}: {len(manifest['files'])} files, {file.stat().st_size / 1e6:.1f} MB", looked]
    show(
        {"file": str(file), **{name: value for name, value in manifest.items() if name != "files"}},
        as_json,
        [*filter(None, lines), f"Next, where it goes: isthmus bundle inspect {file.name}"],
    )


def _ids(bundle: Path, cohort: Path | None) -> list[str]:
    if cohort is None:
        return []
    from isthmus.cohort.cohort import load_cohort
    from isthmus.errors import CohortError
    from isthmus.models.bundle_files import read_any_bundle

    spec, _ = read_any_bundle(bundle)
    found = load_cohort(cohort)
    if found.fingerprint() != spec.cohort.fingerprint:
        raise CohortError(
            "this is not the cohort that the model was trained on, as it was then",
            where=str(cohort),
            expected=f"{spec.cohort.name}, fingerprint {spec.cohort.fingerprint[:12]}",
        )
    tables = ((found.patients, "patient_id"), (found.nodules, "nodule_id"), (found.views, "view_id"))
    return [str(value) for table, name in tables for value in table[name]]


@bundle_app.command("inspect")
def bundle_inspect(
    bundle: Annotated[Path, typer.Argument(help="Zip file or bundle folder.")], as_json: JsonOption = False
) -> None:
    """Say what a model is: network, needs, training data, licences, threshold, size. Every file's hash is checked.

    A zip is checked as `unpack` checks it; nothing of it is kept, and no network is built.
    """
    import tempfile

    from isthmus.models.bundle_archive import unpack_bundle
    from isthmus.models.bundle_facts import facts_of_bundle, lines_of

    if bundle.is_dir():
        facts = facts_of_bundle(bundle)
    else:
        with tempfile.TemporaryDirectory() as place:
            unpack_bundle(bundle, Path(place) / "bundle")
            facts = facts_of_bundle(Path(place) / "bundle")
    show(facts, as_json, lines_of(facts))


@bundle_app.command("unpack")
def bundle_unpack(
    file: Annotated[Path, typer.Argument(help="Zip file, as `pack` writes it.")],
    destination: Annotated[Path, typer.Argument(help="Bundle folder to make.")],
    as_json: JsonOption = False,
) -> None:
    """Make a bundle's folder of its file, after checking names, sizes and hashes of everything in it."""
    from isthmus.models.bundle_archive import unpack_bundle

    manifest = unpack_bundle(file, destination)
    show(
        {"folder": str(destination), "name": manifest["bundle"]["name"], "sha256": manifest["sha256"]},
        as_json,
        [f"{manifest['bundle']['name']}: {destination}", f"Next: isthmus predict {destination} …"],
    )
