"""Rate: doctors judge a run's heat maps on a form, and their ratings are analysed."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, OutOption, app, show

rate_app = typer.Typer(
    no_args_is_help=True,
    help="Let doctors rate heat maps from 1 to 5 and name the criteria they see, then analyse their answers.\n\n"
    "`isthmus rate form RUN --out FORM`, give `FORM/rating_form.html` to each doctor, keep `FORM/key.csv`; then "
    "`isthmus rate analyse RUN ratings_*.csv --key FORM/key.csv --out ANALYSIS`.",
)
app.add_typer(rate_app, name="rate")

RunArgument = Annotated[Path, typer.Argument(help="Folder of a finished run with heat maps.", show_default=False)]


@rate_app.command("form")
def rate_form(
    run: RunArgument,
    out: OutOption,
    arm: Annotated[
        list[str] | None, typer.Option("--arm", help="Explained arm; repeat it for several. Default: the primary.")
    ] = None,
    cases: Annotated[int, typer.Option("--cases", help="Patients drawn by chance, one view of each.")] = 40,
    seed: Annotated[int, typer.Option("--seed", help="Decides who is drawn, and the order.")] = 0,
    show_score: Annotated[
        bool, typer.Option("--show-score", help="Show the model's probability and threshold. Default: blinded.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a rating form: one HTML page that works offline in any browser.

    The pictures are held-out ones, as the network saw them, each beside its heat map, without label or call. The page
    names no patient: its case numbers are its own, and OUT/key.csv, which stays with you, says which they are. A
    doctor's answers stay in the browser until they are saved as ratings_READER.csv.
    """
    from isthmus.protocol.rating import make_form

    form = make_form(run, out, arms=arm or [], cases=cases, seed=seed, show_score=show_score)
    lines = [
        f"{form.cases} heat maps of {', '.join(form.arms)}; form {form.form}",
        f"Not eligible, since nothing spoke for the positive class: {form.without_heat} views.",
        f"For the doctors: {out / 'rating_form.html'}",
        f"Keep to yourself: {out / 'key.csv'}",
        f"Next: isthmus rate analyse {run} ratings_*.csv --key {out / 'key.csv'} --out ANALYSIS",
    ]
    show(form.to_json(), as_json, lines)


@rate_app.command("analyse")
def rate_analyse(
    run: RunArgument,
    ratings: Annotated[list[Path], typer.Argument(help="The doctors' files, ratings_READER.csv.")],
    key: Annotated[Path, typer.Option("--key", help="key.csv of the form.", show_default=False)],
    out: OutOption,
    as_json: JsonOption = False,
) -> None:
    """Analyse the doctors' ratings: means with intervals, agreement, criteria, and measured heat.

    Means have two intervals: for these readers on other patients, and for other readers too. Right and wrong calls,
    arms, experience and descriptors are kept apart; kinds with few cases are said to be too few. OUT gets
    ratings.json, report.html and tables/. A wrong file is refused with its line.
    """
    from isthmus.protocol.rating import analyse
    from isthmus.report.heat_ratings_page import rating_lines

    evidence, arms = analyse(run, ratings, key, out)
    show(evidence, as_json, [*rating_lines(evidence, arms), f"Report: {out / 'report.html'}"])
