"""Models and weights: networks and what they start from."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, app, columns_of, show, weights_app


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="Show one network with its options.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the networks, or show one with its options, source and initial weights."""
    from isthmus.models.registry import HEADS, card, cards

    if name is None:
        rows = [[one.name, f"{one.parameters_millions:.1f} M", one.summary] for one in cards().values()]
        facts = {"models": [one.to_json() for one in cards().values()]}
        show(
            facts,
            as_json,
            [*columns_of(["network", "parameters", "what it is"], rows), "", "One in full: isthmus models NAME"],
        )
        return
    one = card(name)
    any_network = f"  head = {HEADS[0]}: or {HEADS[1]}, of any network: the classes have an order, as they are listed"
    show(one.to_json(), as_json, [*one.lines(), any_network])


@weights_app.command("list")
def weights_list(as_json: JsonOption = False) -> None:
    """List the official weight files that the networks know, and which of them are in the cache."""
    from isthmus.models.weights import list_weights

    found = list_weights()
    rows = [[one.name, one.network, "here" if one.present else "absent", one.licence] for one in found]
    facts = {"weights": [one.to_json() for one in found]}
    show(facts, as_json, columns_of(["weights", "network", "state", "licence"], rows))


@weights_app.command("fetch")
def weights_fetch(
    name: Annotated[str, typer.Argument(help="A name of `isthmus weights list`.")], as_json: JsonOption = False
) -> None:
    """Download an official weight file into the cache and check its hash."""
    from isthmus.models.weights import fetch

    path = fetch(name)
    show({"name": name, "file": path.name}, as_json, [f"{name} is here: {path}"])


@weights_app.command("import")
def weights_import(
    path: Annotated[Path, typer.Argument(help="A .pth or .safetensors file.")],
    name: Annotated[str | None, typer.Option("--name", help="Name for a file that is not an official one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a weight file into the cache: for machines without internet, and for weights of your own."""
    from isthmus.models.weights import import_weights

    entry = import_weights(path, name=name)
    show({"name": entry}, as_json, [f"Imported as {entry}: use `weights: {entry}` in a protocol."])
