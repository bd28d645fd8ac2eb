"""Run and protocols: a study from a protocol."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, app, columns_of, progress_bars, show


@app.command()
def run(
    protocol: Annotated[str, typer.Argument(help="A shipped protocol (see `isthmus protocols`) or a YAML file.")],
    cohort: Annotated[Path, typer.Option("--cohort", help="Cohort folder.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Run folder to make, or to go on with.", show_default=False)],
    external: Annotated[
        list[Path] | None, typer.Option("--external", help="Cohort of other patients, opened once; repeatable.")
    ] = None,
    correspondence: Annotated[
        Path | None,
        typer.Option("--correspondence", help="YAML: which target and classes of an external cohort stand for ours."),
    ] = None,
    profile: Annotated[str, typer.Option(help="paper, small (minutes on 2 cores) or smoke (seconds).")] = "paper",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value over the protocol, e.g. defaults.train.epochs=20.")
    ] = None,
    arms: Annotated[
        str | None, typer.Option("--arms", help="Only these arms, with commas; more are added later with --resume.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run, or add arms to it.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Only print fits, epochs, disk and expected time.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train, compare, calibrate, explain and report, as a protocol says.

    A run that was stopped at any moment goes on with --resume and ends in the same predictions.csv. With --resume and
    more --arms, only the added ones are trained; what was frozen and predicted for the others stays as it is.
    """
    from isthmus.protocol.resolve import resolve_protocol

    layers = [*(settings or []), *_only(arms)]
    resolve_protocol(protocol, profile, layers)  # a misspelt name or key is answered before torch is waited for
    from isthmus.protocol.planning import plan_run
    from isthmus.protocol.run import run as run_protocol

    if plan:
        planned = plan_run(
            protocol,
            cohort,
            profile=profile,
            settings=layers,
            external=external or (),
            correspondence=correspondence,
            out=out,
            resume=resume,
        )
        show(planned.to_json(), as_json, planned.lines())
        return
    with progress_bars(as_json) as progress:
        finished = run_protocol(
            protocol,
            cohort,
            out,
            external=external or (),
            correspondence=correspondence,
            profile=profile,
            settings=layers,
            resume=resume,
            progress=progress,
            say=None if as_json else lambda line: print(line, file=sys.stderr, flush=True),
        )
    show(finished.to_json(), as_json, finished.lines())


def _only(arms: str | None) -> list[str]:
    """Return `--arms` as the protocol's key `only`."""
    return [] if arms is None else [f"only={[name.strip() for name in arms.split(',') if name.strip()]}"]


def _fitting(names: list[str], folder: Path, profile: str, as_json: bool) -> None:
    from isthmus.cohort.cohort import load_cohort
    from isthmus.protocol.suitability import suitability

    cohort = load_cohort(folder)
    found = [suitability(name, cohort, profile) for name in names]
    facts = {"cohort": cohort.name, "profile": profile, "protocols": [one.to_json() for one in found]}
    lines = [f"Cohort {cohort.name}, profile {profile}:", *(line for one in found for line in one.lines())]
    show(facts, as_json, lines)


@app.command()
def protocols(
    name: Annotated[str | None, typer.Argument(help="Show one protocol, resolved.")] = None,
    cohort: Annotated[Path | None, typer.Option("--cohort", help="Say which fit this cohort, and why not.")] = None,
    profile: Annotated[str, typer.Option(help="paper, small or smoke.")] = "paper",
    as_json: JsonOption = False,
) -> None:
    """List the shipped protocols, or show one as it will run, or say which of them fit a cohort."""
    from isthmus.protocol.reductions import reductions
    from isthmus.protocol.resolve import resolve_protocol, shipped_protocols

    if cohort is not None:
        _fitting([name] if name else list(shipped_protocols()), cohort, profile, as_json)
        return
    if name is None:
        found = [resolve_protocol(shipped) for shipped in shipped_protocols()]
        rows = [[one.protocol, f"{len(one.arms)} arms", one.title] for one in found]
        facts = {
            "protocols": [
                one.model_dump(mode="json", include={"protocol", "title", "cite", "question"}) for one in found
            ]
        }
        show(
            facts,
            as_json,
            [*columns_of(["protocol", "arms", "title"], rows), "", "One in full: isthmus protocols NAME"],
        )
        return
    import yaml

    resolved = resolve_protocol(name, profile).model_dump(mode="json")
    changed = [f"# {line}" for line in reductions(name, profile)]
    show(resolved, as_json, [*changed, yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True, width=110)])
