"""What ``bundle.yaml`` says of a model's likeness to its training pictures."""

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FILE: Final = "out_of_distribution.safetensors"


class Trial(BaseModel):
    """How well a distance told altered pictures from unaltered ones that its network had not seen.

    Parameters
    ----------
    kind : str
        Of distance.
    aurocs : dict
        Alteration to the mean AUROC over the fold networks.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Literal["mahalanobis", "neighbours"]
    aurocs: dict[str, float]

    @property
    def mean(self) -> float:
        """Over the alterations."""
        return sum(self.aurocs.values()) / len(self.aurocs) if self.aurocs else float("nan")


class LikenessSpec(BaseModel):
    """``out_of_distribution`` in ``bundle.yaml``; the numbers themselves lie in ``file``.

    Parameters
    ----------
    kind : {'mahalanobis', 'neighbours'}
        Which distance was chosen.
    neighbours : list of int
        k of each part, of ``neighbours``.
    scales : list of (float, float)
        Middle and width of the logarithm of each part's distance among pictures that it did not see.
    pictures : int
        How many unseen training pictures a case is compared with.
    trials : list of Trial
        The one chosen first.
    rule : str
        How it was chosen.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Literal["mahalanobis", "neighbours"]
    neighbours: list[Annotated[int, Field(ge=1)]] = []
    scales: list[
        tuple[
            Annotated[float, Field(allow_inf_nan=False)],
            Annotated[float, Field(gt=0, allow_inf_nan=False)],
        ]
    ] = Field(min_length=1)
    pictures: int = Field(ge=1)
    trials: list[Trial] = []
    rule: str
    file: Literal["out_of_distribution.safetensors"] = "out_of_distribution.safetensors"
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "neighbours" and len(self.neighbours) != len(self.scales):
            raise ValueError(f"{len(self.neighbours)} numbers of neighbours for {len(self.scales)} parts")
        return self
