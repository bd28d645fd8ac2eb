"""What stops a run before any training, and what its plan says."""

import builtins

import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import InputError
from isthmus.protocol.arithmetic import Arithmetic
from isthmus.protocol.cases import find_cases
from isthmus.protocol.fits import list_fits
from isthmus.protocol.narrowing import fitted_to
from isthmus.protocol.parts import divide, set_aside
from isthmus.protocol.plan import make_plan
from isthmus.protocol.planning import check_libraries
from isthmus.protocol.resolve import resolve_protocol
from tests.multimodal_cohort import write_multimodal_cohort


def test_a_fused_arm_s_classifier_that_cannot_be_loaded_here_is_refused_with_what_to_install(monkeypatch):
    real = builtins.__import__

    def bare(name, *rest):
        if name == "lightgbm":
            raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")
        return real(name, *rest)

    check_libraries(resolve_protocol("olnm2025", "paper", []))
    monkeypatch.setattr(builtins, "__import__", bare)
    check_libraries(resolve_protocol("olnm2025", "smoke", []))
    with pytest.raises(InputError, match=r"LightGBM cannot be loaded: libgomp.* Next: install the system's OpenMP"):
        check_libraries(resolve_protocol("olnm2025", "paper", []))


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Plans of a cohort without elastography: of all its cases, as `--plan` asks, and of those to train on."""
    folder = write_multimodal_cohort(tmp_path_factory.mktemp("plan") / "cohort", 60, modalities=("bmode", "smi"))
    cohort = load_cohort(folder)
    protocol, _ = fitted_to(resolve_protocol("ding2026", "smoke"), cohort)
    cases = find_cases(protocol, cohort)
    split, aside = divide(protocol, cases)
    training, _ = set_aside(cases, aside)
    arithmetic = dict.fromkeys(protocol.arms, Arithmetic("fp32", 1, "cpu", 0.1))
    fits = list_fits(protocol, training, split, dict.fromkeys(protocol.arms, ""), arithmetic)
    return cohort, [make_plan("ding2026", protocol, one, fits, fits, arithmetic) for one in (cases, training)]


def test_the_plan_and_the_run_state_one_size_with_its_parts(planned):
    cohort, (asked, begun) = planned
    parts = cohort.nodules["split"].fillna("train").value_counts()
    assert asked.lines() == begun.lines()
    assert f"{len(cohort.nodules)} nodules" in asked.lines()[0]
    assert f": {parts['train']} to train, {parts['test']} test, " in asked.lines()[0]


def test_an_absent_modality_is_no_change_of_the_profile(planned):
    said = "\n".join(planned[1][0].lines())
    assert "arms left out: densenet121, vgg16, googlenet\n" in said
    assert "swe" not in said.partition("profile smoke changes")[2].partition("arms left out")[2].partition("\n")[0]
