"""What a run keeps is made once, and of several tables only those that are missing."""

import pandas as pd

from isthmus.protocol.kept_tables import kept_table, kept_tables


def test_a_table_is_made_once_and_read_after(tmp_path):
    made = []

    def make():
        made.append(1)
        return pd.DataFrame({"view_id": ["007"], "p": [0.1]})

    for _ in range(2):
        found = kept_table(tmp_path / "kept" / "a.parquet", make)
        assert found.to_dict("list") == {"view_id": ["007"], "p": [0.1]}
    assert made == [1]


def test_only_tables_that_are_missing_are_made_and_none_is_asked_for_where_all_are_there(tmp_path):
    asked = []

    def make(missing):
        asked.append(list(missing))
        return {name: pd.DataFrame({"name": [name]}) for name in missing}

    paths = {name: tmp_path / f"{name}.parquet" for name in "abc"}
    kept_table(paths["b"], lambda: pd.DataFrame({"name": ["older"]}))
    for _ in range(2):
        found = kept_tables(paths, make)
        assert {name: table["name"].tolist() for name, table in found.items()} == {
            "a": ["a"], "b": ["older"], "c": ["c"],
        }  # fmt: skip
    assert asked == [["a", "c"]]
