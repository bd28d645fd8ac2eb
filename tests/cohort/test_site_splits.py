"""Leave one site out: each hospital is met only by networks that never saw it."""

import pandas as pd
import pytest

from isthmus.cohort.site_splits import leave_one_site_out
from isthmus.cohort.splits import check_split
from isthmus.errors import CohortError


def cases(sites: str = "ABC", groups: int = 8) -> pd.DataFrame:
    """Return two nodules a group, both classes at every site."""
    rows = [
        {"group_id": f"{site}{group}", "nodule_id": f"{site}{group}-{nodule}", "site": site, "label": str(group % 2)}
        for site in sites
        for group in range(groups)
        for nodule in range(2)
    ]
    return pd.DataFrame(rows)


def test_each_fold_holds_out_one_whole_site_and_nobody_of_it_is_trained_or_tuned_on():
    examples = cases()
    split = pd.concat([leave_one_site_out(examples, seed) for seed in (0, 1)])
    check_split(split)
    sites = split.assign(site=split["group_id"].str[0])
    for (_, fold), rows in sites.groupby(["seed", "fold"]):
        assert set(rows.loc[rows["part"] == "cv", "site"]) == {"ABC"[fold]}
        assert set(rows["site"]) - set(rows.loc[rows["part"] != "cv", "site"]) == {"ABC"[fold]}
        assert set(rows["part"]) == {"train", "tune", "cv"}
    tuned = split[split["part"] == "tune"].groupby("seed")["group_id"].apply(set)
    assert tuned[0] != tuned[1], "the seed draws the tuning parts"


def test_a_site_that_lacks_a_class_is_refused_by_name_with_its_counts():
    examples = cases()
    examples.loc[examples["site"] == "B", "label"] = "0"
    with pytest.raises(CohortError, match=r"B: 8 groups of class 0, 0 groups of class 1\)"):
        leave_one_site_out(examples, 0)
    with pytest.raises(CohortError, match="two sites with both classes"):
        leave_one_site_out(cases("A"), 0)


def test_a_group_at_two_sites_and_a_patient_without_one_are_refused():
    examples = cases()
    examples.loc[0, "site"] = "C"
    with pytest.raises(CohortError, match="1 groups of patients stand at two sites: A0"):
        leave_one_site_out(examples, 0)
    examples.loc[0, "site"] = None
    with pytest.raises(CohortError, match="1 groups of patients have no site: A0"):
        leave_one_site_out(examples, 0)


def test_too_few_of_a_class_at_the_other_sites_are_refused():
    examples = cases("AB", groups=2)
    with pytest.raises(CohortError, match="without site A the train part has no group of class"):
        leave_one_site_out(examples, 0)
