"""Passwords: argon2id hashes, the rules for choosing one, and one-time passwords."""

import secrets
import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import Type

from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.settings import PasswordHashing

SHORTEST, LONGEST = 12, 256
_FEWEST_DIFFERENT = 5
# A hash takes 64 MiB; without this a crowd at the door would take all of the machine's memory.
_AT_ONCE = 4
# Read aloud and typed from paper: no 0 and O, 1, I and L; 31 ** 20 is 99 bits.
_ONE_TIME_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class Passwords:
    """Hashes passwords and compares them.

    Parameters
    ----------
    cost : PasswordHashing
        Rounds, memory and lanes of a hash.
    """

    def __init__(self, cost: PasswordHashing) -> None:
        self._hasher = PasswordHasher(
            time_cost=cost.rounds, memory_cost=cost.memory_kib, parallelism=cost.lanes, type=Type.ID
        )
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._nobodys = self.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """Return the argon2id hash of a password, with its parameters and salt."""
        with self._turns:
            return self._hasher.hash(_same_form(password))

    def matches(self, kept: str | None, password: str) -> bool:
        """Return whether a password is the one of a hash; without a hash the same work is done, for nothing."""
        with self._turns:
            try:
                return self._hasher.verify(kept or self._nobodys, _same_form(password)) and kept is not None
            except (Argon2Error, InvalidHashError):
                return False

    def is_outdated(self, kept: str) -> bool:
        """Return whether a hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(kept)


def _same_form(password: str) -> bytes:
    # The same key presses give different code points on different systems (NIST SP 800-63B, 5.1.1.2).
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def check_choice(password: str, name: str) -> None:
    """Refuse a password that is too short, too long, the account's name, or a few letters repeated.

    There are no rules of composition: length counts (NIST SP 800-63B, 5.1.1.2).

    Raises
    ------
    Refusal
        422, with the rule that was broken.
    """
    if len(password) < SHORTEST:
        raise Refusal(422, "password_short", field="new_password", shortest=SHORTEST)
    if len(password) > LONGEST:
        raise Refusal(422, "password_long", field="new_password", longest=LONGEST)
    if len(set(password.casefold())) < _FEWEST_DIFFERENT:
        raise Refusal(422, "password_repeats", field="new_password", fewest=_FEWEST_DIFFERENT)
    if name.casefold() in password.casefold() and len(password) - len(name) < SHORTEST // 2:
        raise Refusal(422, "password_name", field="new_password")


def one_time_password() -> str:
    """Return a password for one use, in groups that can be read aloud."""
    letters = [secrets.choice(_ONE_TIME_LETTERS) for _ in range(20)]
    return "-".join("".join(letters[start : start + 5]) for start in range(0, 20, 5))
