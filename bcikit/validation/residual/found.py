"""What a look at recordings comes to, and words that all looks share."""

from bcikit.validation.results import Judgement, Measurement
from bcikit.validation.takes import Take

Found = list[Measurement]


def finding(quantity: str, label: str, value: float, unit: str, channel: str = "") -> Measurement:
    """Return a measurement that is UNEXPLAINED."""
    return Measurement(
        quantity=quantity, label=label, value=float(value), unit=unit, channel=channel, judgement=Judgement.UNEXPLAINED
    )


def names_of(take: Take) -> list[str]:
    """Return the names of the channels that carry a voltage."""
    return [take.info.ch_names[column] for column in take.signals]
