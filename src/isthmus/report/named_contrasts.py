"""The contrasts that were named before the analysis, in the order in which they are tested."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from isthmus.errors import InputError, did_you_mean

RULE = (
    "Contrasts that were named before the analysis are tested in that order, each at the full level: a later one is "
    "confirmatory only where all before it were shown, and exploratory otherwise (fixed-sequence testing; Maurer, "
    "Hothorn and Lehmacher 1995). All other pairs carry Holm's correction."
)


@dataclass(frozen=True)
class Choice:
    """One of several arms, chosen by its cross-validated figure.

    Parameters
    ----------
    arm : str
        The one with the highest figure; of equal ones the first that was named.
    measure : str
        ``auc`` or ``macro_auc``: mean over seeds of the mean over folds.
    figures : dict
        Every arm that it was chosen from to its figure; None where it has none.
    oracles : tuple of str
        Those among them whose pictures the simulated truth chose: no clinic can have them.
    """

    arm: str
    measure: str
    figures: dict[str, float | None]
    oracles: tuple[str, ...] = ()


@dataclass(frozen=True)
class NamedContrast:
    """Arm `a` less arm `b`, the question `title`; `order` 1 is the primary one. `choice` says how `b` was found."""

    order: int
    kind: Literal["primary", "secondary"]
    title: str
    a: str
    b: str
    choice: Choice | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        content = asdict(self)
        if self.choice is not None:
            content["choice"]["oracles"] = list(self.choice.oracles)
        return content


def named_contrasts(
    primary: Mapping[str, str] | None,
    secondary: Iterable[Mapping[str, Any]],
    arms: Mapping[str, Mapping[str, Any]],
    oracles: Sequence[str] = (),
) -> tuple[list[NamedContrast], list[str]]:
    """Return the named contrasts in their order, and notes on those that cannot be asked.

    Parameters
    ----------
    primary : dict, optional
        ``{"arm": …, "against": …}``.
    secondary : iterable of dict
        ``{"title": …, "arm": …, "against": [arms]}``; of several arms the best one by cross-validation.
    arms : dict
        ``evidence["arms"]``: arm to split to its measures.
    oracles : sequence of str
        Arms whose pictures the simulated truth chose.

    Raises
    ------
    InputError
        For an arm that is not there.
    """
    found, notes = [], []
    if primary:
        found.append(NamedContrast(1, "primary", "the primary contrast", primary["arm"], primary["against"]))
    for place, asked in enumerate(secondary, 2):
        title, arm, against = str(asked["title"]), str(asked["arm"]), [str(name) for name in asked["against"]]
        for name in (arm, *against):
            if name not in arms:
                raise InputError(
                    f"no arm is called {name!r}", where=title, expected=", ".join(arms), hint=did_you_mean(name, arms)
                )
        choice = best_of(arms, against, oracles) if len(against) > 1 else None
        if len(against) > 1 and choice is None:
            notes.append(f"{title}: not tested, since no arm of {', '.join(against)} has a cross-validated figure")
            continue
        found.append(NamedContrast(place, "secondary", title, arm, choice.arm if choice else against[0], choice))
    return found, notes


def best_of(arms: Mapping[str, Mapping[str, Any]], among: Sequence[str], oracles: Sequence[str] = ()) -> Choice | None:
    """Return the best of several arms by cross-validation, never by a set that was kept aside; None without figures.

    Parameters
    ----------
    arms : dict
        ``evidence["arms"]``.
    among : sequence of str
        Arms to choose from.
    oracles : sequence of str
        Arms whose pictures the simulated truth chose.
    """
    measured = [name for name in ("auc", "macro_auc") if any(name in arms[arm].get("cv", {}) for arm in among)]
    if not measured:
        return None
    figures = {arm: arms[arm].get("cv", {}).get(measured[0], {}).get("estimate") for arm in among}
    known = [arm for arm in among if figures[arm] is not None]
    if not known:
        return None
    best = max(known, key=lambda arm: figures[arm])
    return Choice(best, measured[0], figures, tuple(arm for arm in among if arm in oracles))


def confirmatory(p_values: Sequence[float | None], level: float) -> list[bool]:
    """Return which of the tests, in their fixed order, are confirmatory: those before which all were significant.

    Examples
    --------
    >>> confirmatory([0.01, 0.2, 0.03], 0.95)
    [True, True, False]

    Source: W. Maurer, L. Hothorn, W. Lehmacher, in: Vollmar (ed.), Biometrie in der chemisch-pharmazeutischen
    Industrie 6 (1995) 3-18; F. Bretz et al., Statistics in Medicine 28 (2009) 586-604 (fixed sequence).
    """
    found, still = [], True
    for p in p_values:
        found.append(still)
        still = still and p is not None and p < 1 - level
    return found
