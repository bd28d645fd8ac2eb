"""AUC at each site: the same as of that site's rows alone."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from isthmus.report.context import ReportContext, SplitFacts
from isthmus.report.evaluate import evaluate
from isthmus.report.evidence import compute_evidence
from isthmus.report.sentences import split_sentence
from tests.report.made import made_predictions


def test_each_sites_auc_is_that_of_its_rows(tmp_path: Path) -> None:
    frame = made_predictions(seeds=(0,), folds=1, split="external")
    frame["site"] = np.where(frame["group_id"] < "g030", "North", "South")
    found = evaluate(frame, tmp_path / "out", bootstrap=50)["arms"]["new"]["external"]["by_site"]
    rows = frame[frame["arm"] == "new"]
    for site, part in rows.groupby("site"):
        assert found[site]["auc"]["estimate"] == pytest.approx(roc_auc_score(part["label"] == "1", part["p_1"]))
        assert found[site]["auc"]["low"] < found[site]["auc"]["estimate"] < found[site]["auc"]["high"]
        assert (found[site]["n"], found[site]["n_groups"]) == (60, 30)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "External set: AUC by site" in page
    assert "North (60 nodules)" in page


def test_a_site_held_out_as_a_fold_has_its_folds_auc() -> None:
    frame = made_predictions(("new",), seeds=(0, 1), folds=3)
    first = frame[frame["seed"] == 0].set_index("unit_id")["fold"]
    frame["fold"] = frame["unit_id"].map(first)  # a fold a site, the same for both seeds
    frame["site"] = "site " + frame["fold"].astype(str)
    entry = compute_evidence(frame, bootstrap=50)["arms"]["new"]["cv"]
    by_fold = {fold: [one["auc"] for one in entry["folds"]["auc"] if one["fold"] == fold] for fold in range(3)}
    for fold, aucs in by_fold.items():
        assert entry["by_site"][f"site {fold}"]["auc"]["estimate"] == pytest.approx(np.mean(aucs))


def test_the_page_says_how_a_sites_auc_comes_about_under_cross_validation(tmp_path: Path) -> None:
    frame = made_predictions(seeds=(0,), folds=2)
    frame["site"] = np.where(frame["group_id"] < "g030", "North", "South")
    evaluate(frame, tmp_path / "cv", bootstrap=50)
    assert "mean of the folds&#39; own AUCs among the site" in (tmp_path / "cv" / "report.html").read_text("utf-8")
    evaluate(frame.assign(split="test", fold=0), tmp_path / "test", bootstrap=50)
    assert "own AUCs among the site" not in (tmp_path / "test" / "report.html").read_text("utf-8")


def test_one_site_or_a_site_of_one_class_is_not_ranked() -> None:
    frame = made_predictions(("new",), seeds=(0,), folds=1, split="test").assign(site="North")
    assert "by_site" not in compute_evidence(frame, bootstrap=50)["arms"]["new"]["test"]
    frame.loc[frame["label"] == "1", "site"] = "South"
    found = compute_evidence(frame, bootstrap=50)["arms"]["new"]["test"]["by_site"]
    assert found["South"]["auc"]["estimate"] is None
    assert "one class only" in found["South"]["auc"]["note"]


def test_sites_held_out_and_sites_set_aside_are_said() -> None:
    facts = SplitFacts(folds=3, seeds=[0], by="site", external_sites=["Delft", "Essen"])
    words = split_sentence(ReportContext(title="", evidence={"arms": {}}, splits=facts))
    assert "held out site by site (3 sites)" in words
    assert "Set aside as external set: all patients of Delft and Essen." in words
