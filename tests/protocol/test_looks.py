"""A nodule's views of several modalities joined into looks."""

import string

import pandas as pd

from isthmus.models.join_spec import JoinSpec
from isthmus.protocol.looks import JOINED, look_table, members_of, pictures_of


def _tables() -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    ids = {"bmode": ["b1", "b2", "b3"], "swe": ["e1", "e3"]}
    nodules = {"b1": "n1", "b2": "n2", "b3": "n1", "e1": "n1", "e3": "n3"}
    tables = {
        name: pd.DataFrame({"view_id": own, "nodule_id": [nodules[view] for view in own], "label": "1", "mask": name})
        for name, own in ids.items()
    }
    known = pd.DataFrame({"view_id": list(nodules), "acquisition_id": ["a", None, "b", "b", None]})
    return tables, known


def test_a_row_is_a_look_with_the_columns_of_its_first_view() -> None:
    join = JoinSpec(modalities=("bmode", "smi", "swe"), how="branches")
    table = look_table(join, *_tables())
    assert table["view_id"].tolist() == ["b1+e1", "b2", "b3+e1", "e3"]
    assert table["nodule_id"].tolist() == ["n1", "n2", "n1", "n3"]
    assert table["mask"].tolist() == ["bmode", "bmode", "bmode", "swe"]
    assert members_of(table)["b3+e1"] == ("b3", None, "e1")
    found = pictures_of(table.assign(label="2"))
    assert [own["view_id"].tolist() for own in found] == [["b1", "b2", "b3"], [], ["e1", "e3"]]
    assert found[2]["mask"].tolist() == ["swe", "swe"]
    assert found[2]["label"].tolist() == ["2", "2"]


def test_pooled_views_are_looks_of_their_own() -> None:
    join = JoinSpec(modalities=("bmode", "swe"), how="pooled")
    table = look_table(join, *_tables())
    assert table["view_id"].tolist() == ["b1", "b2", "b3", "e1", "e3"]
    assert all(sum(row is not None for row in look) == 1 for look in table[JOINED])
    assert set("".join(table["view_id"])) <= set(string.ascii_lowercase + string.digits)
