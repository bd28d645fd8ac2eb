"""Serve: a model at work, as a DICOM node."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli.app import JsonOption, app, show


@app.command()
def serve(
    bundles: Annotated[list[Path] | None, typer.Argument(help="Bundle folders: RUN/arms/ARM/bundle.")] = None,
    dicom: Annotated[
        Path | None,
        typer.Option("--dicom", metavar="NODE.yaml", help="The node's file: who may send, where results go."),
    ] = None,
    localiser: Annotated[
        Path | None,
        typer.Option("--localiser", help="Localiser folder: proposes the region that a model of lesions needs."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Ask the archives of `pull:` now, answer what is found, and end.")
    ] = False,
    status: Annotated[
        Path | None, typer.Option("--status", metavar="NODE.yaml", help="How this node is doing; starts nothing.")
    ] = None,
    retry_parked: Annotated[
        Path | None,
        typer.Option("--retry-parked", metavar="NODE.yaml", help="Try again what this node gave up; starts nothing."),
    ] = None,
    example_node: Annotated[bool, typer.Option("--example-node", help="Print a commented node's file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take studies from an archive by DICOM, assess them, and give the results back as DICOM.

    Start with `isthmus serve --example-node > node.yaml`, name your archive in it, then
    `isthmus serve BUNDLE --dicom node.yaml`. It listens on this machine alone until the file says otherwise. What it
    says goes to stderr, a line an event, with --json as JSON; no line names a patient. SIGTERM ends it cleanly.

    With --status the exit code is 1 while something is parked.
    """
    if example_node:
        from isthmus.clinic.node_settings import example_text

        print(example_text(), end="")
    elif status is not None:
        _show_status(status, as_json)
    elif retry_parked is not None:
        from isthmus.clinic.journal import retry_parked as retried
        from isthmus.clinic.node_settings import read_node_settings

        count = retried(read_node_settings(retry_parked).spool)
        show({"retried": count}, as_json, [f"{count} put back into the queue"])
    elif dicom is None or not bundles:
        raise typer.BadParameter(
            "a BUNDLE and --dicom NODE.yaml are needed. Next: isthmus serve --example-node > node.yaml"
        )
    else:
        _run(bundles, dicom, localiser, once=once, as_json=as_json)


def _run(bundles: list[Path], dicom: Path, localiser: Path | None, *, once: bool, as_json: bool) -> None:
    from isthmus.clinic.assessment import Assessor
    from isthmus.clinic.device_rules import read_device_rules
    from isthmus.clinic.node_log import NodeLog
    from isthmus.clinic.node_service import run_node
    from isthmus.clinic.node_settings import read_node_settings

    settings = read_node_settings(dicom)
    rules = None if settings.device_rules is None else read_device_rules(settings.device_rules)
    make = partial(Assessor, bundles, localiser=localiser, rules=rules)
    parked = run_node(settings, make, NodeLog(sys.stderr, as_json=as_json), once=once)
    if once and parked:
        raise typer.Exit(1)


def _show_status(path: Path, as_json: bool) -> None:
    from isthmus.clinic.node_service import status_of
    from isthmus.clinic.node_settings import read_node_settings

    facts = status_of(read_node_settings(path))
    show(facts, as_json, _status_lines(facts))
    if facts["parked"]:
        raise typer.Exit(1)


def _status_lines(facts: dict[str, Any]) -> list[str]:
    def counts(name: str) -> str:
        return ", ".join(f"{number} {state}" for state, number in sorted(facts[name].items())) or "none"

    since = facts["seconds_since_last_instance"]
    return [
        "running" if facts["running"] else "not running",
        f"studies: {counts('studies')}",
        f"results: {counts('deliveries')}",
        f"reports of commitment: {counts('commitments')}",
        f"held: {facts['instances_held']} instances, {facts['bytes_held'] >> 20} MB",
        f"free: {facts['free_megabytes']} MB",
        "last instance: " + ("none held" if since is None else f"{since:g} s ago"),
        *(f"parked: {_parked_line(one)}" for one in facts["parked"]),
        *(["Next: isthmus serve --retry-parked NODE.yaml"] if facts["parked"] else []),
    ]


def _parked_line(one: dict[str, Any]) -> str:
    study = "" if one["study"] is None else f"study {one['study']}, "
    return f"{study}{one['what']}: {one['why']} ({one['attempts']} attempts)"
