"""A picture file in two groups is found, whatever its name; in one group it is no fault."""

import pandas as pd

from isthmus.protocol.shared_files import groups_sharing_a_file


def views(folder, *rows):
    for name, content, _ in rows:
        (folder / name).write_bytes(content)
    return pd.DataFrame({"path": [folder / name for name, _, _ in rows], "group_id": [group for _, _, group in rows]})


def test_the_same_bytes_under_two_names_in_two_groups_are_found(tmp_path):
    table = views(tmp_path, ("a.png", b"1", "p1"), ("b.png", b"1", "p2"), ("c.png", b"2", "p3"))
    assert groups_sharing_a_file(table) == [("p1", "p2")]


def test_one_file_named_by_two_groups_is_found(tmp_path):
    table = views(tmp_path, ("a.png", b"1", "p1"), ("a.png", b"1", "p2"))
    assert groups_sharing_a_file(table) == [("p1", "p2")]


def test_copies_within_a_group_and_different_files_are_no_fault(tmp_path):
    table = views(tmp_path, ("a.png", b"1", "p1"), ("b.png", b"1", "p1"), ("c.png", b"2", "p2"))
    assert groups_sharing_a_file(table) == []


def test_a_file_that_is_not_there_is_passed_over(tmp_path):
    table = pd.DataFrame({"path": [tmp_path / "a.png"] * 2, "group_id": ["p1", "p2"]})
    assert groups_sharing_a_file(table) == []
