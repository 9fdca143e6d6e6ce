"""Error potentials: the brain's comment on the last action, used to veto or correct it."""

from dataclasses import dataclass

from bcikit.signal import Decision, check_choice, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What follows from an error decoder's opinion on an action.

    Attributes
    ----------
    action : str
        "keep", "veto" or "correct".
    label : str or None
        The label that holds now: the old one, none, or the second best.
    error_probability : float
        Posterior that the action was wrong.
    """

    action: str
    label: str | None
    error_probability: float


def judge_action(
    decision: Decision,
    error: Decision,
    *,
    error_class: str,
    threshold: float = 0.8,
    mode: str = "veto",
    error_rate: float | None = None,
    training_rate: float = 0.5,
) -> Correction:
    """Combine a decision with what the brain says of the feedback on it.

    By Bayes' rule: the prior of an error is the decision's own doubt, ``1 - confidence``, or `error_rate` where that
    is known better; the evidence is the error decoder's likelihood ratio. A sure decision thus needs a clear error
    potential to be taken back, a doubtful one less.

    Parameters
    ----------
    decision : Decision
        The action in question.
    error : Decision
        Of the error decoder, on the window after the feedback.
    error_class : str
        Its class that means an error.
    threshold : float
        Posterior of an error from which the action is taken back.
    mode : {"veto", "correct"}
        "veto": undo; "correct": take the second best class of the decision instead, where it has one.
    error_rate : float, optional
        Share of wrong actions, instead of the decision's own doubt.
    training_rate : float
        Share of errors in the training of the error decoder.

    Returns
    -------
    Correction
        "keep" wherever the error decoder could not say.
    """
    check_choice("mode", mode, ("correct", "veto"))
    check_range("threshold", threshold, low=0.5, high=1.0)
    share = check_range("training_rate", training_rate, low=0.0, high=1.0, low_open=True, high_open=True)
    prior = 1.0 - decision.confidence if error_rate is None else check_range("error_rate", error_rate, low=0, high=1)
    if decision.label is None or not error.probabilities:
        return Correction(action="keep", label=decision.label, error_probability=prior)
    check_choice("error_class", error_class, error.classes)
    p = min(max(error.probabilities[error.classes.index(error_class)], 1e-6), 1 - 1e-6)
    prior = min(max(prior, 1e-3), 1 - 1e-3)
    odds = prior / (1 - prior) * (p / (1 - p)) / (share / (1 - share))
    posterior = odds / (1 + odds)
    if posterior < threshold:
        return Correction(action="keep", label=decision.label, error_probability=posterior)
    if mode == "correct" and len(decision.probabilities) > 1:
        ranked = sorted(zip(decision.probabilities, decision.classes, strict=True), reverse=True)
        other = next(name for _, name in ranked if name != decision.label)
        return Correction(action="correct", label=other, error_probability=posterior)
    return Correction(action="veto", label=None, error_probability=posterior)
