"""Pseudonyms: the same for the same, different for the different, and a key file that nobody else can read."""

import base64
import hashlib
import hmac
import json
import stat
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cohort.pseudonyms import Pseudonyms, open_key
from isthmus.errors import CohortError, InputError, OutputError
from isthmus.files import locked

IDS = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=20)
SALTS = st.binary(min_size=32, max_size=32)


@given(st.lists(IDS, max_size=30), SALTS)
def test_one_id_has_one_pseudonym_and_one_pseudonym_one_id(ids, salt):
    first, second = Pseudonyms.new(salt), Pseudonyms.new(salt)
    given_out = {original: first.of(original) for original in ids}
    assert {original: second.of(original) for original in reversed(ids)} == given_out
    assert {original: first.of(original) for original in ids} == given_out
    assert len(first.tables["patient"]) == len(set(first.tables["patient"].values()))
    assert len(set(given_out.values())) == len(first.tables["patient"])


@given(IDS, SALTS, SALTS)
def test_another_salt_gives_another_pseudonym(original, salt, other):
    assert (Pseudonyms.new(salt).of(original) == Pseudonyms.new(other).of(original)) == (salt == other)


@pytest.mark.parametrize("original", ["007", "张三-12", "A" * 64])
def test_it_is_the_beginning_of_a_keyed_hash(original):
    # Independent of the bit arithmetic: RFC 4648's base32, its letters exchanged for Crockford's.
    salt = bytes(range(32))
    digest = hmac.new(salt, b"patient\0" + original.encode(), hashlib.sha256).digest()
    rfc, crockford = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    expected = base64.b32encode(digest).decode().translate(str.maketrans(rfc, crockford))[:8]
    assert Pseudonyms.new(salt).of(original) == f"P-{expected}"


def test_where_two_ids_meet_the_second_is_longer():
    salt = bytes(32)
    meant = Pseudonyms.new(salt).of("007")
    names = Pseudonyms(salt, {"patient": {"another": meant}, "site": {}}, {})
    assert names.of("007") != meant
    assert names.of("007").startswith(meant)
    assert len(names.of("007")) == len(meant) + 1


def test_patients_and_sites_of_one_text_differ_and_an_empty_id_is_refused():
    names = Pseudonyms.new()
    assert names.of("1", "site")[2:] != names.of("1")[2:]
    assert names.patient_id_for("1") == names.of("1")
    with pytest.raises(CohortError, match="without an id"):
        names.of("  ")


def test_full_width_digits_and_blanks_are_the_same_id_but_a_leading_zero_is_not():
    names = Pseudonyms.new()
    assert names.of("００７") == names.of(" 007 ")
    assert names.of("007") != names.of("7")


def test_days_count_from_the_first_import_for_ever(tmp_path):
    with open_key(tmp_path / "k.json", outside=tmp_path / "c") as names:
        assert names.days_since("P-A", date(2024, 3, 1), first=date(2024, 2, 28)) == 2  # a leap year
    with open_key(tmp_path / "k.json", outside=tmp_path / "c") as names:
        assert names.days_since("P-A", date(2024, 2, 20), first=date(2024, 2, 20)) == -8


def test_the_key_file_is_private_reused_and_its_text_names_nobody(tmp_path):
    key = tmp_path / "keys" / "study.key.json"
    with open_key(key, outside=tmp_path / "cohort") as names:
        given_out = names.of("ZY0012345"), names.of("协和医院", "site")
        assert "ZY0012345" not in repr(names)
        assert names.salt.hex() not in repr(names)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [path.name for path in key.parent.iterdir()] == ["study.key.json"]  # no lock is left beside it
    stored = json.loads(key.read_text(encoding="utf-8"))
    assert len(bytes.fromhex(stored["salt"])) == 32
    assert stored["patients"] == {"ZY0012345": given_out[0]}
    with open_key(key, outside=tmp_path / "cohort") as names:
        assert (names.of("ZY0012345"), names.of("协和医院", "site")) == given_out
    with open_key(tmp_path / "other.json", outside=tmp_path / "cohort") as names:
        assert names.of("ZY0012345") != given_out[0]


def test_what_an_import_that_fails_added_is_not_kept_but_the_salt_is(tmp_path):
    with pytest.raises(ZeroDivisionError), open_key(tmp_path / "k.json", outside=tmp_path / "c") as names:
        given_out = names.of("1")
        raise ZeroDivisionError
    with open_key(tmp_path / "k.json", outside=tmp_path / "c") as names:
        assert names.tables["patient"] == {}
        assert names.of("1") == given_out


@pytest.mark.parametrize(
    "place", ["cohort/key.json", "cohort/deep/key.json", "cohort.partial/key.json", "link/key.json"]
)
def test_a_key_inside_the_cohort_is_refused(tmp_path, place):
    (tmp_path / "cohort").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "cohort")
    with pytest.raises(CohortError, match="inside the cohort"), open_key(tmp_path / place, outside=tmp_path / "cohort"):
        pass
    assert not list((tmp_path / "cohort").iterdir())


def test_a_damaged_key_is_refused_and_left_as_it_is(tmp_path):
    key = tmp_path / "k.json"
    with open_key(key, outside=tmp_path / "c") as names:
        names.of("1"), names.of("2")
    good = json.loads(key.read_text(encoding="utf-8"))
    twice = good | {"patients": {"1": "P-AAAAAAAA", "2": "P-AAAAAAAA"}}
    for wrong in (
        good | {"salt": "00"},
        good | {"salt": 3},
        good | {"patients": []},
        twice,
        {"format": good["format"]},
    ):
        key.write_text(json.dumps(wrong), encoding="utf-8")
        with pytest.raises(CohortError, match=r"damaged.*backup"), open_key(key, outside=tmp_path / "c"):
            pass
        assert json.loads(key.read_text(encoding="utf-8")) == wrong
    key.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="isthmus-key"), open_key(key, outside=tmp_path / "c"):
        pass
    with pytest.raises(CohortError, match="is a folder"), open_key(tmp_path, outside=tmp_path / "c"):
        pass


@pytest.mark.parametrize("content", [b"PK\x03\x04\xff\xfe a workbook", b"id;name\n1;2\n"])
def test_another_file_given_as_key_is_told_to_be_none_and_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "pathology.xlsx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"no key file.*--table"), open_key(path, outside=tmp_path / "c"):
        pass
    assert path.read_bytes() == content


def test_two_imports_do_not_write_one_key_at_once(tmp_path):
    held, refused = locked(tmp_path / ".k.json.lock"), pytest.raises(OutputError, match="another process")
    with held, refused, open_key(tmp_path / "k.json", outside=tmp_path / "c"):
        pass
