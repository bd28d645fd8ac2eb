"""The last look over copied cells: ids, names and dates of the source are found, measurements and codes are not."""

import pytest

from isthmus.cohort.draft import CohortDraft
from isthmus.cohort.identity_guard import identifying_parts, refuse_identifiers
from isthmus.errors import CohortError

PARTS = identifying_parts(["Zhang^Xiaoming=张^晓明", "欧阳丽华", "00712345", "7", "LI"])


def draft_with(tmp_path, remark):
    draft = CohortDraft(tmp_path)
    draft.add_patient("P-1", "A")
    draft.add_nodule("P-1", "P-1", remark=remark, size_mm="12", composition="solid")
    return draft


IDS = ["00712345", "id 00712345, left", "0071２345"]
NAMES = ["ZHANG", "seen (zhang)", "Xiaoming_2", "患者欧阳丽华复查", "晓明"]
DAYS = ["2024-03-01", "05.01.1980", "于2024年3月1日", "20240301", "seen 2024/3/1."]


@pytest.mark.parametrize("remark", [*IDS, *NAMES, *DAYS])
def test_a_cell_that_tells_somebody_or_a_day_is_refused(tmp_path, remark):
    with pytest.raises(CohortError, match=r"nodules\.remark: (an id or a name|a date) in 1 cell") as caught:
        refuse_identifiers(draft_with(tmp_path, remark), PARTS)
    assert remark not in str(caught.value)


@pytest.mark.parametrize(
    "remark",
    ["left lobe", "7", "12.5 x 8", "右叶中部", "LI", "BRAF V600E", "zhangs", "100712345", "12345678", "1.25.3"],
)
def test_other_cells_pass(tmp_path, remark):
    refuse_identifiers(draft_with(tmp_path, remark), PARTS)
