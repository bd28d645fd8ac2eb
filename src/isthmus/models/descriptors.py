"""Which sonographic descriptors a network also learns, and how their probabilities are put into words.

Importing this imports no torch. The codes are those of :data:`isthmus.tables.vocabulary.DESCRIPTORS`.
"""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from isthmus.tables.vocabulary import DESCRIPTORS, MULTI_VALUED

ABSENT = "none"
"""Code of a multi-valued descriptor that says it has no other; it has no output of its own."""


class DescriptorSpec(BaseModel):
    """The descriptor heads of a network.

    Examples
    --------
    >>> DescriptorSpec(heads={"composition": ["mixed", "solid"], "echogenic_foci": ["punctate"]}).outputs
    3
    """

    # It also travels in bundles, where a newer minor version may add keys.
    model_config = ConfigDict(extra="ignore", frozen=True)

    heads: dict[str, list[str]] = Field(min_length=1, description="descriptor to its codes, in the order of outputs")
    feed: bool = Field(True, description="the descriptors' probabilities enter the last linear layer")

    @model_validator(mode="after")
    def _in_the_vocabulary(self) -> Self:
        for name, codes in self.heads.items():
            if name not in DESCRIPTORS:
                raise ValueError(f"unknown descriptor '{name}'; expected some of {', '.join(DESCRIPTORS)}")
            known = [code for code in DESCRIPTORS[name] if not (name in MULTI_VALUED and code == ABSENT)]
            wrong = [code for code in codes if code not in known]
            if wrong or len(set(codes)) < len(codes):
                raise ValueError(f"{name}: codes {', '.join(codes)}; expected different ones of {', '.join(known)}")
            if len(codes) < fewest_codes(name):
                raise ValueError(f"{name} has {len(codes)} codes: there is nothing to tell apart")
        return self

    @property
    def outputs(self) -> int:
        """Probabilities of all heads together."""
        return sum(len(codes) for codes in self.heads.values())


def fewest_codes(descriptor: str) -> int:
    """Return how many codes a head needs: a code of a multi-valued descriptor is there or not, others exclude."""
    return 1 if descriptor in MULTI_VALUED else 2


def in_words(found: Mapping[str, Mapping[str, float]]) -> str:
    """Return what a network sees, each descriptor's likeliest code with its probability.

    Parameters
    ----------
    found : mapping
        Descriptor to code to probability.

    Examples
    --------
    >>> in_words({"composition": {"mixed": 0.19, "solid": 0.81}, "echogenic_foci": {"punctate": 0.1}})
    'the network sees: composition solid (0.81), echogenic foci none (punctate 0.10)'
    """
    return "the network sees: " + ", ".join(_one(name, codes) for name, codes in found.items())


def _one(name: str, codes: Mapping[str, float]) -> str:
    shown = name.replace("_", " ")
    likeliest = max(codes, key=lambda code: codes[code])
    code, value = likeliest.replace("_", " "), f"{codes[likeliest]:.2f}"
    if name not in MULTI_VALUED:
        return f"{shown} {code} ({value})"
    there = [f"{one.replace('_', ' ')} ({codes[one]:.2f})" for one in codes if codes[one] >= 0.5]
    return f"{shown} {' and '.join(there)}" if there else f"{shown} none ({code} {value})"
