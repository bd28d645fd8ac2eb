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


Correlation = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None


class CasesSpec(BaseModel):
    """What the cases were that a new one is compared with, and how far single scores agree.

    Parameters
    ----------
    unit : {'nodule', 'patient'}
        What one case is.
    centre : float
        Mean of the cases' scores.
    networks, views, both : float, optional
        As in :class:`isthmus.statistics.spread_of_means.Agreement`.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    unit: Literal["nodule", "patient"]
    centre: float = Field(allow_inf_nan=False)
    networks: Correlation = None
    views: Correlation = None
    both: Correlation = None


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
        How many unseen training cases a case is compared with; without ``cases`` how many pictures.
    cases : CasesSpec, optional
        What these are. Bundles from before it compare a mean over networks and pictures with single pictures.
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
    cases: CasesSpec | None = None
    trials: list[Trial] = []
    rule: str
    file: Literal["out_of_distribution.safetensors"] = "out_of_distribution.safetensors"
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "neighbours" and len(self.neighbours) != len(self.scales):
            raise ValueError(f"{len(self.neighbours)} numbers of neighbours for {len(self.scales)} parts")
        return self
