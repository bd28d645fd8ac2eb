"""An error says what is wrong, where, what was expected and what to do next, in one line."""

import pickle

from isthmus import errors


def test_an_error_is_one_line_of_four_parts():
    error = errors.TableError("no column 'label'", where="p.csv", expected="label", hint="add it")
    assert str(error) == "no column 'label' (p.csv); expected label. Next: add it"


def test_every_error_is_in_the_drawn_tree():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.IsthmusError)]
    drawing = (errors.__doc__ or "").split("::")[1]
    assert all(kind.__name__ in drawing for kind in kinds)


def test_an_error_crosses_the_border_of_a_process():
    error = errors.FitError("a", where="b", expected="c", hint="d")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  (workers hand exceptions over this way)
    assert type(again) is errors.FitError
    assert str(again) == str(error)
