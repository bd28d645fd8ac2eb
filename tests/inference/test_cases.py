"""Cases one by one: those that fail are listed and the others go on, and what no model of pictures knows is refused."""

import pytest

from isthmus.errors import InputError
from isthmus.inference.cases import each_case, pictures_only
from isthmus.inference.fused_case import Case, View
from isthmus.inference.prediction import FailedPicture, Prediction
from isthmus.models.join_spec import JoinSpec
from tests.inference.small_models import bundle_spec


def case(name: str) -> Case:
    return Case({"bmode": [View(f"{name}.png")]}, name=name)


def predict_one(given: Case) -> Prediction | list[FailedPicture]:
    if given.name == "refused":
        raise InputError("it is not scored")
    if given.name == "unreadable":
        return [FailedPicture("a.png", InputError("cut")), FailedPicture("b.png", InputError("cut"))]
    return Prediction(("x.png",), {}, 0.5, False, None, "", None, (0.5, 0.5), "drawn")


def test_each_case_keeps_its_number_and_name_whatever_fails_before_it() -> None:
    done: list[tuple[str, int, int]] = []
    given = [case(name) for name in ("refused", "first", "unreadable", "second")]
    found = each_case(given, predict_one, lambda *said: done.append(said))
    assert [(one.number, one.case) for one in found] == [(2, "first"), (4, "second")]
    assert [one.source for one in found.failures] == ["refused", "unreadable: a.png", "unreadable: b.png"]
    assert done == [("cases", number, 4) for number in (1, 2, 3, 4)]


def test_where_nothing_is_scored_the_first_reason_is_raised_and_no_cases_are_refused() -> None:
    with pytest.raises(InputError, match="it is not scored"):
        each_case([case("refused"), case("unreadable")], predict_one)
    with pytest.raises(InputError, match=r"^no case was given"):
        each_case([], predict_one)


@pytest.mark.parametrize("join", [None, JoinSpec(modalities=("bmode", "swe"), how="branches")])
def test_models_of_pictures_refuse_other_modalities_columns_and_cases_without_pictures(join: JoinSpec | None) -> None:
    spec = bundle_spec().model_copy(update={"join": join})
    known = "bmode" if join is None else "bmode or swe"
    assert list(pictures_only(case("n1"), spec)) == [""]
    for given, words in (
        (Case({"ceus": [View("c.png")]}, name="n1"), f"looks at no 'ceus'; expected {known}"),
        (Case({"bmod": [View("c.png")]}, name="n1"), f"expected {known}. Next: did you mean 'bmode'?"),
        (Case(case("n1").views, {"age_years": 50}, "n1"), "knows no column 'age_years'; expected none"),
        (Case({}, name="n1"), f"the case has no picture; expected files for {known}"),
        (Case({"bmode": []}, name="n1"), f"the case has no picture; expected files for {known}"),
    ):
        with pytest.raises(InputError) as refused:
            pictures_only(given, spec)
        assert words in str(refused.value).replace(" (n1)", "")
    assert list(pictures_only(Case(case("n1").views, {"age_years": None}), spec)) == [""]
