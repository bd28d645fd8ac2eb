"""What cannot run is refused before a picture is read or a folder made, with a next step that works."""

import itertools
import re
import shlex

import pytest
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, InputError
from isthmus.files import write_yaml
from isthmus.protocol.cases import find_cases
from isthmus.protocol.narrowing import fitted_to
from isthmus.protocol.refusals import divided
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run_folder import Run
from isthmus.protocol.suitability import suitability
from isthmus.protocol.validated_models import finished_models
from tests.contrast_cohort import write_contrast_cohort


def _refusal(cohort, settings=()):
    fitted, _ = fitted_to(resolve_protocol("olnm2025", "smoke", settings), cohort)
    try:
        divided(fitted, find_cases(fitted, cohort))
    except CohortError as error:
        return error
    return None


def _settings(hint):
    """Return what a hint says to type, as `isthmus run` would hand it on."""
    words = shlex.split(hint.partition(": ")[2])
    given = dict.fromkeys([value for flag, value in itertools.pairwise(words) if flag == "--set"])
    arms = [value for flag, value in itertools.pairwise(words) if flag == "--arms"]
    return [*given, *(f"only=[{names}]" for names in arms)]


# Of 18 patients 4 with a metastasis are outside the test part, of 34 patients 9 (numbers divisible by 3, not 3 mod 4).
# Folds hold out ceil(n / k), and of the rest max(1, round(0.2 rest)) tune: of 4 never 4 are left to train on; of 9 in
# 2 folds 3, in 3 folds 5, but then a tuning part has no patient without a metastasis who has a clip.
@pytest.mark.parametrize(
    ("patients", "outside", "remedy"),
    [(18, 4, "--arms image,ceus_video,clinical"), (34, 9, "--set splits.cross_validation.folds=4")],
)
def test_too_few_patients_to_halve_are_refused_by_plan_and_suitability_with_a_step_that_works(
    tmp_path, patients, outside, remedy
):
    cohort = load_cohort(write_contrast_cohort(tmp_path / "cohort", patients))
    found = suitability("olnm2025", cohort, "smoke")
    assert not found.fits
    error = _refusal(cohort)
    assert found.reasons == [str(error)]
    assert "too few to be halved" in error.what
    # 2 folds: of 10 patients 5 are held out, 1 tunes and 4 are trained on; of 9, 5, 1 and 3.
    assert re.search(rf"about 10 of each class outside the test part, where {outside} of", error.expected)
    assert remedy in error.hint
    assert _refusal(cohort, _settings(error.hint)) is None


def test_a_part_without_a_view_of_a_class_is_not_answered_with_the_folds_that_were_asked_for(tmp_path):
    cohort = load_cohort(write_contrast_cohort(tmp_path / "cohort", 28))
    error = _refusal(cohort)
    assert "has no view of class" in error.what
    assert "no number of folds works" in error.hint
    for folds in (2, 3, 4, 5, 7, 10):
        assert _refusal(cohort, [f"splits.cross_validation.folds={folds}"]) is not None


def test_a_run_that_cannot_be_halved_leaves_no_folder_that_blocks_the_corrected_command(tmp_path):
    cohort, out = write_contrast_cohort(tmp_path / "cohort", 18), tmp_path / "run"
    asked = ["run", "olnm2025", "--cohort", str(cohort), "--out", str(out), "--profile", "smoke"]
    for more in ([], ["--plan"]):
        result = CliRunner().invoke(app, [*asked, *more])
        assert result.exit_code == 1
        assert "too few to be halved" in str(result.exception)
        assert not out.exists()


def test_an_arm_that_a_run_has_not_is_answered_with_the_nearest(tmp_path):
    write_yaml(tmp_path / "protocol.yaml", resolve_protocol("ding2026", "smoke").model_dump(mode="json"))
    with pytest.raises(InputError, match=r"no arm is called 'bmod'.*Next: did you mean 'bmode'"):
        Run(tmp_path).bundle("bmod")


def test_an_arms_folder_that_is_taken_for_its_model_is_answered_with_the_model(tmp_path):
    place = tmp_path / "arms" / "bmode" / "bundle"
    place.mkdir(parents=True)
    (place / "bundle.yaml").touch()
    with pytest.raises(InputError, match=r"neither a run nor a bundle.*Next: one of its bundles: .*arms/bmode/bundle$"):
        finished_models(place.parent, None)
