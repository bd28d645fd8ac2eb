"""How a site works its scanner: what of a picture depends on the site."""

from pydantic import BaseModel, ConfigDict, Field


class SiteHabits(BaseModel):
    """Habits of one site.

    Parameters
    ----------
    gain_db : float
        Overall gain against the device's own, -10 to 10 dB.
    caliper_rate : float
        Share of stills saved with measuring calipers on the nodule, 0 to 1; drawn without regard to the nodule.
    annotations : bool
        Whether the scanner's text, depth scale and grey bar are saved with the picture.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gain_db: float = Field(0.0, ge=-10, le=10)
    caliper_rate: float = Field(0.0, ge=0, le=1)
    annotations: bool = True
