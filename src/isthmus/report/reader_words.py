"""What was found of readers, in sentences: what was shown, what was not, and on whom."""

from typing import Any, Final

from isthmus.report.context import ReportContext
from isthmus.report.reading import count, interval, listed, number, p_in_words, plural, split_name

ARMS_NAMED: Final = 3
"""So many arms are each named; of more, only those that were named before the analysis."""
LEADING: Final = ("auc", "sensitivity_at_specificity", "accuracy")
"""The first of these that there is says how arms stand beside readers, in words and in the figure."""
Found = dict[str, list[dict[str, Any]]]
_WORDS: Final = {
    "auc": "AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "accuracy": "accuracy",
    "sensitivity_at_specificity": "sensitivity at the readers’ own specificities",
    "specificity_at_sensitivity": "specificity at the readers’ own sensitivities",
}


def condition_words(condition: str) -> str:
    """Return a condition as a sentence names it.

    Examples
    --------
    >>> condition_words("unaided"), condition_words("with BI-RADS")
    ('without help', 'with BI-RADS')
    """
    return {"unaided": "without help", "aided": "with help"}.get(condition, condition)


def group_words(group: str) -> str:
    """Return a group of readers as a table names it."""
    return f"{group.capitalize()} readers"


def named_arms(context: ReportContext, found: Found) -> list[str]:
    """Return the arms that stand beside each reader: all of few; else the primary contrast's and the reference."""
    arms = list(dict.fromkeys(entry["a"] for entry in found["comparisons"]))
    if len(arms) <= ARMS_NAMED:
        return arms
    asked = [*(context.evidence.get("primary") or {}).values(), context.evidence.get("reference_arm")]
    return [arm for arm in dict.fromkeys(asked) if arm in arms]


def crossing_words(context: ReportContext, found: Found, split: str) -> list[str]:
    """Say who read how much; conditions under which as much was read in one sentence."""
    unit = context.evidence["unit"]
    several = len({row["split"] for row in context.evidence["readers"]["rows"]}) > 1
    where = f"{split_name(split).capitalize()}: " if several else ""
    alike: dict[str, list[dict[str, Any]]] = {}
    for entry in found["crossing"]:
        if entry["group"] == "all":
            same = {name: value for name, value in entry.items() if name != "condition"}
            alike.setdefault(repr(same), []).append(entry)
    texts = []
    for entries in alike.values():
        entry = entries[0]
        of_groups = "" if entry["groups"] == entry["units"] else f" of {plural(entry['groups'], 'patient')}"
        text = f"{where}{plural(entry['readers'], 'reader')} read {plural(entry['units'], unit)}{of_groups} "
        text += listed([condition_words(one["condition"]) for one in entries])
        skipped = sorted(entry["skipped"].items(), key=lambda item: -item[1])
        if not skipped:
            texts.append(f"{text}; every one of them read every {unit}." if entry["readers"] > 1 else f"{text}.")
            continue
        named = listed([f"{name} did not read {count(units)}" for name, units in skipped[:5]])
        more = f" and {plural(len(skipped) - 5, 'other reader')} some too" if len(skipped) > 5 else ""
        texts.append(
            f"{text}, but not every one of them every {unit}: {named}{more}. Each reader is compared on what was "
            f"read by that reader; the mean of readers on the {plural(entry['units_read_by_all'], unit)} that all of "
            "them read."
        )
    return texts


def arms_words(context: ReportContext, found: Found, split: str) -> list[str]:
    """Say how the arms stand beside the mean of all readers."""
    texts = []
    entries = [entry for entry in found["comparisons"] if entry["group"] == "all" and entry["difference"] is not None]
    for condition in list(dict.fromkeys(entry["condition"] for entry in entries))[:1]:
        own = [entry for entry in entries if entry["condition"] == condition]
        measures = {entry["measure"] for entry in own}
        leading = [name for name in LEADING if name in measures][:1]
        for measure in leading:
            of_measure = [entry for entry in own if entry["measure"] == measure]
            few = len(of_measure) <= ARMS_NAMED
            texts += (_each_arm if few else _many_arms)(context, of_measure, condition)
    if texts:
        texts[-1] += " Not told apart is not the same as equal: the interval says how far apart they may be."
    return texts


def _each_arm(context: ReportContext, entries: list[dict[str, Any]], condition: str) -> list[str]:
    texts = []
    for entry in entries:
        corrected = " after Holm’s correction" if entry.get("p_holm") is not None else ""
        arm, word = context.title_of(entry["a"]), _WORDS[entry["measure"]]
        of = f"the mean of the {entry['readers']} readers {condition_words(condition)}"
        pair = f"{number(entry['estimate_a'])} against {number(entry['estimate_b'])}, difference {interval(entry)}"
        if not shown(entry, context):
            texts.append(f"In {word}, {arm} and {of} are not told apart: {pair}, {_p(entry)}{corrected}.")
            continue
        better = "better than" if entry["difference"] > 0 else "worse than"
        texts.append(f"In {word}, {arm} is shown to be {better} {of}: {pair}, {_p(entry)}{corrected}.")
    return texts


def _many_arms(context: ReportContext, entries: list[dict[str, Any]], condition: str) -> list[str]:
    word, level = _WORDS[entries[0]["measure"]], 1 - context.evidence["level"]
    better, worse = (
        [entry for entry in entries if shown(entry, context) and (entry["difference"] > 0) == sign]
        for sign in (True, False)
    )
    mean = f"the mean of the {entries[0]['readers']} readers {condition_words(condition)}"
    rest = len(entries) - len(better) - len(worse)
    if rest == len(entries):
        text = f"In {word}, none of {count(rest)} arms is told apart from {mean} (Holm’s p of {number(level)} or more)."
    else:
        text = (
            f"In {word}, of {count(len(entries))} arms {_who(context, better)} shown to be better than {mean}, and "
            f"{_who(context, worse)} shown to be worse (Holm’s p below {number(level)}); the others are not told apart "
            "from it."
        )
    low, high = (number(side(entry["difference"] for entry in entries)) for side in (min, max))
    text += f" The differences, arm less readers, run from {low} to {high}."
    primary = (context.evidence.get("primary") or {}).get("arm")
    for entry in (entry for entry in entries if entry["a"] == primary):
        pair = f"{number(entry['estimate_a'])} against {number(entry['estimate_b'])}, difference {interval(entry)}"
        text += f" {context.title_of(entry['a'])}: {pair}."
    return [text]


def _who(context: ReportContext, entries: list[dict[str, Any]]) -> str:
    if not entries:
        return "none is"
    names = f" ({listed([context.title_of(entry['a']) for entry in entries])})" if len(entries) <= ARMS_NAMED else ""
    return f"{count(len(entries))}{names} {'is' if len(entries) == 1 else 'are'}"


def conditions_words(context: ReportContext, found: Found, split: str) -> list[str]:
    """Say what help changed, over all readers."""
    texts = []
    asked = [e for e in found["multi_reader"] if e["analysis"] == "OR" and e["group"] == "all" and e.get("a")]
    for entry in asked:
        if entry["difference"] is None:
            continue
        who = f"{entry['readers']} readers" if entry["readers"] > 1 else "one reader"
        about = "readers like these" if entry["readers_as"] == "random" else "these readers only"
        a, b = condition_words(entry["a"]), condition_words(entry["b"])
        pair = f"{number(entry['estimate_a'])} against {number(entry['estimate_b'])}, difference {interval(entry)}"
        higher = "higher" if entry["difference"] > 0 else "lower"
        verdict = f"shown to be {higher}" if shown(entry, context) else "not told apart"
        texts.append(
            f"The mean {_WORDS[entry['measure']]} of {who} {a} and {b}: {pair}, {verdict} ({_p(entry)}; said of "
            f"{about})."
        )
    return texts


def experience_words(context: ReportContext, found: Found, split: str) -> list[str]:
    """Say what help changed in the accuracy of the readers of each experience, in one sentence a pair of conditions."""
    of_groups = [
        entry
        for entry in found["multi_reader"]
        if (entry["analysis"], entry["measure"]) == ("OR", "accuracy")
        and entry["group"] not in ("", "all")
        and entry.get("difference") is not None
    ]
    texts = []
    for a, b in dict.fromkeys((entry["a"], entry["b"]) for entry in of_groups):
        parts = []
        for entry in (one for one in of_groups if (one["a"], one["b"]) == (a, b)):
            points = {name: 100 * entry[name] for name in ("difference", "low", "high")}
            verdict = "shown" if shown(entry, context) else "not told apart from none"
            parts.append(
                f"{_signed(points['difference'])} percentage points ({number(points['low'], 1)} to "
                f"{number(points['high'], 1)}; {verdict}) for {plural(entry['readers'], entry['group'] + ' reader')}, "
                f"from {number(100 * entry['estimate_b'], 1)}\u202f% to {number(100 * entry['estimate_a'], 1)}\u202f%"
            )
        texts.append(
            f"By experience, the accuracy {condition_words(a)} differs from that {condition_words(b)} by "
            f"{listed(parts)}. Accuracy is of this mix of cases and would be another where disease is rarer."
        )
    return texts


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{number(value, 1)}"


def agreement_words(context: ReportContext, found: Found, split: str) -> list[str]:
    """Say how far readers agree, in one sentence a condition."""
    texts = []
    for condition in dict.fromkeys(entry["condition"] for entry in found["agreement"]):
        own = [e for e in found["agreement"] if e["condition"] == condition and e["estimate"] is not None]
        of_all = {e["measure"]: e for e in own if e["kind"] == "readers" and e["group"] == "all"}
        pairs = [e["estimate"] for e in own if e["kind"] == "pair" and e["of"] == "calls"]
        parts = []
        if "percent agreement" in of_all and "Fleiss kappa" in of_all:
            share = 100 * of_all["percent agreement"]["estimate"]
            between = f"; Cohen’s kappa of pairs {number(min(pairs))} to {number(max(pairs))}" if len(pairs) > 1 else ""
            kappa = f"Fleiss’ kappa {interval(of_all['Fleiss kappa'])}{between}"
            parts.append(f"two readers make the same call in {share:.0f}\u202f% of cases ({kappa})")
        if "ICC(2,1)" in of_all:
            parts.append(f"the intraclass correlation of one reader’s score is {interval(of_all['ICC(2,1)'])}")
        if parts:
            texts.append(f"{condition_words(condition).capitalize()}, {' and '.join(parts)}.")
    if texts:
        texts[-1] += " Agreement is not accuracy: readers may agree on what is wrong."
    return [" ".join(texts)] if texts else []


def time_words(context: ReportContext, found: Found, split: str) -> list[str]:
    """Say what help costs in time."""
    texts = []
    for entry in found["time"]:
        if entry["kind"] != "ratio" or entry["group"] != "all" or entry["estimate"] is None:
            continue
        texts.append(
            f"Reading {condition_words(entry['condition'])} takes {interval(entry)} times as long as without help "
            f"({plural(entry['pairs'], 'pair')} of reads of the same {context.evidence['unit']} by the same reader)."
        )
    return texts


def shown(entry: dict[str, Any], context: ReportContext) -> bool:
    """Tell whether a difference was shown, after Holm's correction where there is one."""
    p = entry.get("p_holm", entry["p"])
    return p is not None and p < 1 - context.evidence["level"]


def _p(entry: dict[str, Any]) -> str:
    return p_in_words(entry.get("p_holm", entry["p"]))
