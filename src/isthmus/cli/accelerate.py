"""Accelerate: the engines of a model measured, judged and chosen."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.app import JsonOption, app, columns_of, progress_bars, show
from isthmus.cli.predict_options import BundleArgument, NetworkOption

if TYPE_CHECKING:
    from isthmus.inference.engine_record import Measured


@app.command()
def accelerate(
    bundle: BundleArgument,
    cohort: Annotated[
        Path | None,
        typer.Option("--cohort", help="What the model was trained on; its tuning and training cases are the judges."),
    ] = None,
    split: Annotated[
        Path | None, typer.Option("--split", help="The run's split.csv, where the bundle no longer lies in its run.")
    ] = None,
    only_exact: Annotated[
        bool, typer.Option("--only-exact", help="Choose only what gives PyTorch's probabilities to 0.0001.")
    ] = False,
    network: NetworkOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a model fast: measure the engines that can run it, and let it use the fastest that answers the same.

    ONNX Runtime and OpenVINO, in single precision, bf16 and 8 bits, stand beside PyTorch. An engine may be chosen when
    no probability moves by 0.0001 (exact), or when the AUC falls by less than 0.002 and no case changes its call
    (gated), on cases that the model was tuned or trained on; a test set is never opened. All figures go into the
    bundle, which uses the choice from then on: `predict`, `serve`, and `load_bundle` in Python.

    The times are this machine's. On another one: `isthmus accelerate BUNDLE`, without a cohort, times anew what passed.
    """
    from isthmus.explain.prediction_cases import own_networks_of
    from isthmus.protocol.accelerate import accelerate as measure

    with progress_bars(as_json) as progress:
        record = measure(
            bundle,
            cohort,
            split=split,
            only_exact=only_exact,
            own_network=own_networks_of(network or []),
            progress=progress,
        )
    assert record.measured is not None
    show(record.measured.model_dump(mode="json"), as_json, _lines(record.measured))


def _lines(measured: "Measured") -> list[str]:
    rows = []
    for name, trial in measured.engines.items():
        verdict, times = trial.verdict, trial.times
        timed = [f"{times.one:.1f}", f"{times.each_of_batch:.1f}"] if times.views else ["", ""]
        loss = "" if verdict.auc_loss is None else f"{verdict.auc_loss:.4f}"
        rows.append(
            [name, verdict.passed, *timed, f"{verdict.largest_difference:.1e}", loss, str(verdict.calls_changed)]
        )
    headings = ["engine", "gate", "ms, one view", "ms, each of many", "largest difference", "AUC loss", "calls changed"]
    tuning, machine = measured.tuning, measured.machine
    reasons = [f"{name}: {one.verdict.reason}" for name, one in measured.engines.items() if one.verdict.reason]
    held = "; each also by the part that had not seen it" if tuning.held_out else ""
    return [
        *columns_of(headings, rows),
        *reasons,
        f"Judged on {tuning.cases} cases ({tuning.views} views): {tuning.parts}{held}.",
        f"Timed on {machine.processor}, {machine.threads} threads.",
        f"Chosen: {measured.choice}, {measured.why}.",
    ]
