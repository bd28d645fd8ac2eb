"""What contrasts over several trainings found, in sentences: which way they fell, and what could have been seen."""

from typing import Any, Final

from isthmus.report.context import ReportContext
from isthmus.report.reading import count, interval, listed, number, p_in_words, plural, split_name
from isthmus.report.seeds import FIXED_SEEDS
from isthmus.report.seeds_reach import MOST_SEEDS
from isthmus.statistics.few_groups import METHOD as WITHOUT_TEST
from isthmus.statistics.multi_reader.inference import FEWEST_READERS

CLAIMS_NOTHING: Final = "A smoke run: no number below means anything."
ONE_MODEL: Final = (
    "The section Comparisons sets the arms’ own models, one training of each, beside one another; where a training run "
    "matters, what is said here is what counts."
)


def contrast_words(context: ReportContext, entry: dict[str, Any], *, leading: bool, several: bool) -> list[str]:
    """Return what a named contrast found in one split; of the leading one also what it could have seen, and why.

    Parameters
    ----------
    context : ReportContext
    entry : dict
        Of ``evidence["seeds"]["contrasts"]``.
    leading : bool
        Whether the split is the one that counts most.
    several : bool
        Whether there are other splits too.
    """
    if entry["difference"] is None or entry["low"] is None:
        return [f"{_of(entry)}, {split_name(entry['split'])}: nothing can be said, since {entry['notes'][-1]}."]
    what = _what(context, entry) if leading else f"{_of(entry)}, {split_name(entry['split'])}"
    where = f" on the {split_name(entry['split'])}" if several and leading else ""
    text = f"{what}{where}: {_figures(context, entry)}. {_verdict(context, entry)}"
    if not entry["confirmatory"]:
        text += " A contrast before it was not shown, so this one is exploratory."
    if not leading:
        return [text]
    text += f" {_seed_by_seed(context, entry)}"
    if entry["seeds_as"] == "fixed":
        text += f" {FIXED_SEEDS.format(seeds=plural(entry['seeds'], 'seed'), fewest=FEWEST_READERS)}"
    return [text, *reach_words(context, entry)]


def seeds_statement(context: ReportContext, split: str) -> str:
    """Return the headline's sentence on the primary contrast over all seeds; empty where there is none."""
    entries = (context.evidence.get("seeds") or {"contrasts": []})["contrasts"]
    for entry in entries:
        if entry["order"] == 1 and entry["split"] == split and entry["low"] is not None:
            return (
                f" Over {count(entry['seeds'])} trainings of each arm the mean difference is {interval(entry, 3)}, "
                f"{p_in_words(entry['p'])}. {_verdict(context, entry)}"
            )
    return ""


def _of(entry: dict[str, Any]) -> str:
    return "The primary contrast" if entry["order"] == 1 else entry["title"].rstrip(".?:")


def _what(context: ReportContext, entry: dict[str, Any]) -> str:
    """Name the contrast and its size."""
    size = plural(entry["n"], context.evidence["unit"])
    size += f" of {plural(entry['n_groups'], 'patient')}" if entry["n_groups"] != entry["n"] else ""
    return f"{_of(entry)}, each arm trained {_times(entry['seeds'])}, {size}"


def _times(seeds: int) -> str:
    return "once" if seeds == 1 else "twice" if seeds == 2 else f"{count(seeds)} times"


def _figures(context: ReportContext, entry: dict[str, Any]) -> str:
    a, b = (f"{number(entry[f'estimate_{side}'], 3)} for {context.title_of(entry[side])}" for side in "ab")
    return f"mean AUC {a} and {b}; difference {interval(entry, 3)}, {p_in_words(entry['p'])}"


def _verdict(context: ReportContext, entry: dict[str, Any]) -> str:
    a, b = (context.title_of(entry[side]) for side in "ab")
    if entry["verdict"] == "a is better":
        return f"{a} is shown to be better than {b}."
    if entry["verdict"] == "b is better":
        return f"{b} is shown to be better than {a}."
    if entry["method"] == WITHOUT_TEST:
        return "Nothing can be concluded from so few."
    if entry["low"] == entry["high"]:
        return "Inconclusive: the data hold no variance that a difference could be judged by."
    return (
        f"Inconclusive: the interval holds 0. {a} may be better by up to {number(max(entry['high'], 0), 3)}, or worse "
        f"by up to {number(max(-entry['low'], 0), 3)}."
    )


def _seed_by_seed(context: ReportContext, entry: dict[str, Any]) -> str:
    ahead = sum(one["difference"] > 0 for one in entry["by_seed"])
    return f"{context.title_of(entry['a'])} has the higher AUC in {ahead} of {plural(len(entry['by_seed']), 'seed')}."


def reach_words(context: ReportContext, entry: dict[str, Any]) -> list[str]:
    """Say whether the study could have seen the difference of interest, what would settle it, and where it wavers."""
    reach = entry["reach"]
    if not reach or reach["half_width"] is None:
        return []
    asked = f"{reach['of_interest']:g}"
    power = f"{100 * reach['power']:.0f}\u202f%"
    text = f"Could this study have seen a difference of {asked}? "
    text += "Yes: " if reach["power"] >= 0.8 else "Not reliably: "
    text += (
        f"a true difference of {asked} is found with a power of {power}, and 80\u202f% is reached at "
        f"{number(reach['detectable'], 3)}; the interval reaches {number(reach['half_width'], 3)} to either side."
        if reach["detectable"] is not None
        else f"a true difference of {asked} is found with a power of {power}."
    )
    if reach["power"] < 0.8:
        text += f" {_needed(context, entry)}"
    return [text + _shares(entry)]


def _needed(context: ReportContext, entry: dict[str, Any]) -> str:
    """Say how many patients, or seeds, would find the difference of interest with 80 % power."""
    reach = entry["reach"]
    patients = "patients" if entry["n_groups"] != entry["n"] else f"{context.evidence['unit']}s"
    with_these = f"about {count(reach['groups_needed'])} {patients} with these {plural(entry['seeds'], 'seed')}"
    ways = [with_these] if reach["groups_needed"] else []
    ways += [f"{count(reach['seeds_needed'])} seeds on these cases"] if reach["seeds_needed"] else []
    if not ways:
        return f"Neither more cases alone nor {MOST_SEEDS} seeds would bring it to 80\u202f%: it takes more of both."
    return f"80\u202f% would take {' or '.join(ways)}."


def _shares(entry: dict[str, Any]) -> str:
    shares = entry["shares"]
    if not shares:
        return ""
    parts = [
        f"{100 * shares['cases']:.0f}\u202f% comes from which patients were met",
        f"{100 * shares['seeds']:.0f}\u202f% from the training run",
        f"{100 * shares['both']:.0f}\u202f% from seeds that rank some cases their own way",
    ]
    if entry["seeds_as"] == "fixed":
        del parts[1]
    return f" Of the uncertainty {listed(parts)}."


def choice_words(context: ReportContext, contrast: dict[str, Any]) -> str:
    """Say which of several arms was taken as the best one and by what figures; empty where there was no choice."""
    choice = contrast.get("choice")
    if not choice:
        return ""
    figures = [
        f"{_marked(context.title_of(arm), arm in choice['oracles'])} {number(value, 3)}"
        for arm, value in choice["figures"].items()
    ]
    title = contrast["title"].rstrip(".?:")
    text = (
        f"{title[:1].upper()}{title[1:]}: the opponent was chosen by cross-validation, the test set played no part. Of "
        f"{plural(len(figures), 'arm')} {context.title_of(choice['arm'])} has the best cross-validated AUC "
        f"({'; '.join(figures)})."
    )
    if choice["oracles"]:
        text += " Oracle: the simulated truth chose its pictures, which no clinic can do."
    return text


def _marked(title: str, oracle: bool) -> str:
    return f"{title} (oracle)" if oracle and "oracle" not in title else title
