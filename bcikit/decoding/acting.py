"""From probabilities of windows to what acts: evidence adds up, and what it says must hold for a while."""

from dataclasses import dataclass

from bcikit.decoding.evidence import Accumulator, Stopping, SwitchEvidence, Switching
from bcikit.signal import Decision, check_range

IDLE_SECONDS = 300.0
"""Mean time for which a person wants nothing, of the hidden Markov model."""

ACTIVE_SECONDS = 1.0
"""Mean time for which a class is wanted: short, so that the model is back at nothing when the next act begins."""

LOOK = 0.25
"""Seconds between windows that count: those between overlap so much that they say the same again."""

REFRACTORY = 1.0
"""Seconds after an act without another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingRule:
    """When windows that follow each other become an action.

    Attributes
    ----------
    confidence : float
        Posterior probability from which evidence is enough: of a hidden Markov model where the decoder has a class for
        wanting nothing (`SwitchEvidence`), of windows added up where it has none (`Accumulator`). The default and the
        constants of this module were chosen on the six people of Kalunga et al. 2016, for the most right acts at no
        more than one false activation a minute; each left out, the five others choose the same, or 1000 s in place of
        300.
    dwell : float
        Seconds for which every further window must go on naming the same class before it acts.
    """

    confidence: float = 0.9
    dwell: float = 0.0

    def __post_init__(self) -> None:
        check_range("confidence", self.confidence, low=0.5, high=1.0, high_open=True)
        check_range("dwell", self.dwell, low=0.0, unit="s")


class Acting:
    """Follows the decisions about windows and says in which one something acts.

    Parameters
    ----------
    classes : sequence of str
        Of the decoder, in its order.
    rule : ActingRule
        The rule.
    idle : str or None
        The class of wanting nothing.
    window, step : float
        Length of a window and time between two, in seconds.
    """

    def __init__(
        self, classes: tuple[str, ...], *, rule: ActingRule, idle: str | None, window: float, step: float
    ) -> None:
        self._classes = classes
        self._rule = rule
        self._idle = idle
        self._window, self._step = window, step
        self._switch: SwitchEvidence | None = None
        if idle is not None:
            switching = Switching(
                confidence=rule.confidence,
                idle_seconds=IDLE_SECONDS,
                active_seconds=ACTIVE_SECONDS,
                refractory=REFRACTORY,
            )
            self._switch = SwitchEvidence(classes, idle=idle, rule=switching)
        self._sum = Accumulator(classes, stopping=Stopping(confidence=rule.confidence))
        self._waiting: str | None = None
        self._held = 0.0
        self._since = 0.0

    @property
    def ready(self) -> bool:
        """False from an act until nothing was wanted, where the decoder has a class for that."""
        return self._switch is None or self._switch.armed

    @property
    def evidence(self) -> float | None:
        """Probability of the likeliest class that is wanted; None where windows are added up without such a class."""
        if self._switch is None or self._idle is None:
            return None
        wanted = [float(p) for name, p in zip(self._classes, self._switch.posterior, strict=True) if name != self._idle]
        return max(wanted, default=0.0)

    def add(self, decision: Decision) -> str | None:
        """Take the decision about the next window; return what acts now, or None."""
        found = dict(zip(decision.classes, decision.probabilities, strict=False))
        ordered = [found[name] for name in self._classes] if found.keys() >= set(self._classes) else []
        if self._waiting is not None:
            if ordered and self._classes[max(range(len(ordered)), key=ordered.__getitem__)] == self._waiting:
                self._held += self._step
            else:
                self._waiting = None
        enough = self._evidence(ordered)
        if enough is not None and self._waiting is None:
            self._waiting, self._held = enough, 0.0
        if self._waiting is not None and self._held >= self._rule.dwell - 1e-9:
            label, self._waiting = self._waiting, None
            return label
        return None

    def _evidence(self, ordered: list[float]) -> str | None:
        if self._switch is not None:
            self._since += self._step
            if self._since < LOOK - 1e-9:
                return None
            seconds, self._since = self._since, 0.0
            return self._switch.add(ordered, seconds=seconds)
        found = self._sum.add(ordered, seconds=self._window, new_seconds=min(self._step, self._window))
        if found.done:
            self._sum.reset()
        return found.label
