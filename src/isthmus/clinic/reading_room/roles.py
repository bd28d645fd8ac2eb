"""Who may do what: one table of roles, read by every route, by the navigation and by the tests."""

from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What an account is for."""

    READER = "reader"
    LEAD = "lead"
    ADMIN = "admin"


_EVERYONE = frozenset(Role)

# What a route asks for with `require("…")`, and whose accounts have it.
RULES = MappingProxyType(
    {
        "room": _EVERYONE,
        "accounts": frozenset({Role.LEAD, Role.ADMIN}),
        "audit": frozenset({Role.ADMIN}),
    }
)

# Whose accounts one may make, close and give a new one-time password.
MANAGES = MappingProxyType(
    {
        Role.READER: frozenset[Role](),
        Role.LEAD: frozenset({Role.READER}),
        Role.ADMIN: _EVERYONE,
    }
)


def may(role: Role | None, rule: str) -> bool:
    """Return whether an account of a role has what a rule asks for; nobody signed in has nothing."""
    return role in RULES[rule]
