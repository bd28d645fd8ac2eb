"""What a file does to the process that assesses it, it does not do to the node."""

from functools import partial
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from isthmus.clinic.assessment_worker import AssessmentFailed, AssessmentWorker
from isthmus.errors import BundleError
from tests.clinic.nodes import PATIENT, CountingAssess, picture, written


def refuse() -> CountingAssess:
    raise BundleError("the bundle is incomplete", where="bundle.yaml")


def test_it_answers_with_files_and_sentences_and_takes_no_more_time_than_it_has(tmp_path: Path):
    study = generate_uid()
    files = written(tmp_path / "in", [picture(study, seed=seed) for seed in range(2)])
    waiting = written(tmp_path / "waiting", [picture(study, ImageComments="wait")])
    worker = AssessmentWorker(partial(CountingAssess, "seven"), seconds=60, memory_bytes=1 << 30)
    try:
        assert worker.version() == "seven"
        (tmp_path / "out").mkdir()
        assert worker.assess(files, tmp_path / "out") == (["0001.dcm"], ["2 pictures seen"])
        assert pydicom.dcmread(tmp_path / "out" / "0001.dcm").StudyInstanceUID == study
        worker._seconds = 0.2
        with pytest.raises(AssessmentFailed, match=r"more than 0\.2 seconds"):
            worker.assess(waiting, tmp_path / "out")
        worker.close()
        with pytest.raises(AssessmentFailed, match="being stopped"):
            worker.version()
    finally:
        worker.close()


@pytest.mark.parametrize("what", ["make", "fail"])
def test_a_refusal_of_ours_is_told_in_full_and_the_text_of_any_other_is_not(tmp_path: Path, what: str):
    make = refuse if what == "make" else CountingAssess
    worker = AssessmentWorker(make, seconds=60, memory_bytes=1 << 30)
    with pytest.raises(AssessmentFailed) as caught:
        worker.version()
        worker.assess(written(tmp_path, [picture(generate_uid(), ImageComments="fail")]), tmp_path)
    worker.close()
    assert PATIENT not in str(caught.value)
    assert ("the bundle is incomplete (bundle.yaml)" if what == "make" else "ValueError") in str(caught.value)
