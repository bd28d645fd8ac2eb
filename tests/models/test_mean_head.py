"""The mean of log odds: worked by hand, and what its file may not say."""

import numpy as np
import pytest
from scipy.special import expit, logit

from isthmus.errors import BundleError
from isthmus.explain.fused_attribution import attribute, attribute_from_average
from isthmus.files import read_json, write_json
from isthmus.models.coded_head import CodedHead
from isthmus.models.mean_head import MeanHead

HEAD = MeanHead(("image:log_odds", "map:log_odds", "flow:log_odds"), np.array([0.5, 0.0, -1.0]))


def test_members_that_are_there_are_averaged_in_log_odds_less_their_prior_shift():
    given = np.array([[1.5, 3.0, -1.0], [1.5, np.nan, np.nan], [np.nan, 2.0, 0.0], [np.nan] * 3])
    found = HEAD.probabilities(given)
    assert found[:3] == pytest.approx(expit([(1.0 + 3.0 + 0.0) / 3, 1.0, (2.0 + 1.0) / 2]))
    assert np.isnan(found[3])
    assert HEAD.scored(given).tolist() == [True, True, True, False]


def test_the_pooled_odds_are_the_geometric_mean_of_the_members_odds():
    chances = np.array([[0.9, 0.6, 0.3]])
    plain = MeanHead(HEAD.columns, np.zeros(3))
    odds = chances / (1 - chances)
    pooled = np.exp(np.log(odds).mean())
    assert plain.probabilities(logit(chances))[0] == pytest.approx(pooled / (1 + pooled))


def test_it_is_kept_without_a_classifier_and_read_again(tmp_path):
    CodedHead(HEAD, []).write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["columns.json", "head.json"]
    again = CodedHead.read(tmp_path).head
    assert isinstance(again, MeanHead)
    assert again.columns == HEAD.columns
    assert again.shifts.tolist() == HEAD.shifts.tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shifts": [0.0]}, "columns and shifts do not match"),
        ({"columns": ["image:0", "map:0", "flow:0"]}, "no member's log odds"),
        ({"shifts": [0.0, 0.0, "much"]}, "shifts.2"),
        ({"more": 1}, "more"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, change, words):
    CodedHead(HEAD, []).write(tmp_path)
    write_json(tmp_path / "head.json", read_json(tmp_path / "head.json") | change)
    with pytest.raises(BundleError, match=words):
        CodedHead.read(tmp_path)


def test_what_each_member_brought_adds_up_to_the_score():
    cases = np.array([[1.5, 3.0, -1.0], [2.5, np.nan, 1.0]])
    ground = np.zeros((8, 3)) + HEAD.shifts
    found = attribute(HEAD, cases, ground)
    # All members there: each brings a third of its own log odds; the background says nothing.
    assert [found.by_member()[name][0] for name in found.members] == pytest.approx([1.0 / 3, 1.0, 0.0])
    total = np.sum(list(found.by_member().values()), axis=0)
    assert total == pytest.approx(logit(HEAD.probabilities(cases)))
    beside_nothing = attribute_from_average(HEAD, cases)
    assert np.sum(list(beside_nothing.by_member().values()), axis=0) == pytest.approx(total)
