"""What a session comes to, in numbers: the content of ``result.json`` and of the report."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bcikit.paradigms import Paradigm
from bcikit.paradigms.score import confusion, judged
from bcikit.signal import Decision, Verdict


class RunTally:
    """Counts while a session runs; its size does not grow with the session's length.

    Attributes
    ----------
    lost : int
        Samples lost so far.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.n_samples = 0
        self.n_chunks = 0
        self.n_bad = 0
        self.n_silences = 0
        self.allowed = 0
        self.refused = 0
        self.by_reason: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self._digest = hashlib.sha256()
        self._latencies = _Histogram()
        self._ages = _Histogram()

    def chunk(self, n_times: int, lost: int, n_bad: int, age: float) -> None:
        """Count a chunk that arrived."""
        self.n_chunks += 1
        self.n_samples += n_times
        self.lost += lost
        self.n_bad += n_bad
        self._ages.add(age)

    def decision(self, decision: Decision, verdict: Verdict, latency: float | None) -> None:
        """Count a decision and what the gate said of it; `latency` in seconds."""
        self._digest.update(decision_key(decision))
        if verdict.allowed:
            self.allowed += 1
        else:
            self.refused += 1
            self.by_reason.update(verdict.reasons)
        self.states[verdict.state] += 1
        if latency is not None:
            self._latencies.add(latency)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts, ready for JSON; latencies in milliseconds."""
        return {
            "lost_samples": self.lost,
            "n_samples": self.n_samples,
            "n_chunks": self.n_chunks,
            "n_bad_samples": self.n_bad,
            "n_silences": self.n_silences,
            "latency_ms": self._latencies.to_dict(1e3),
            "age_ms": self._ages.to_dict(1e3),
            "gate": {
                "n": self.allowed + self.refused,
                "allowed": self.allowed,
                "refused": self.refused,
                "reasons": dict(self.by_reason.most_common()),
            },
            "decisions_sha256": self._digest.hexdigest(),
        }


class _Histogram:
    """Quantiles of durations from logarithmic bins of one percent, from 1 us to 100 s."""

    _LOW = 1e-6
    _STEP = math.log(1.01)

    def __init__(self) -> None:
        self._bins = np.zeros(1852, dtype=np.int64)
        self._n = 0
        self._largest = 0.0

    def add(self, value: float) -> None:
        index = int(math.log(max(value, self._LOW) / self._LOW) / self._STEP)
        self._bins[min(index, len(self._bins) - 1)] += 1
        self._n += 1
        self._largest = max(self._largest, value)

    def quantile(self, share: float) -> float:
        index = int(np.searchsorted(np.cumsum(self._bins), share * self._n))
        return min(self._LOW * math.exp((index + 0.5) * self._STEP), self._largest)

    def to_dict(self, factor: float) -> dict[str, Any]:
        if self._n == 0:
            return {"p50": None, "p95": None, "p99": None, "max": None, "n": 0}
        values = {name: self.quantile(share) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
        return {name: round(value * factor, 4) for name, value in {**values, "max": self._largest}.items()} | {
            "n": self._n
        }


def decision_key(decision: Decision) -> bytes:
    """Return the bytes in which two equal decisions agree: sample, label and probabilities to the last bit."""
    probabilities = np.asarray(decision.probabilities, dtype=np.float64).tobytes()
    return f"{decision.sample}|{decision.label}|{decision.reason}|".encode() + probabilities


def accuracy_summary(
    trials: Sequence[Mapping[str, Any]], classes: Sequence[str], *, sealed: bool = False
) -> dict[str, Any]:
    """Return accuracy against chance from per-trial rows.

    Parameters
    ----------
    trials : sequence of mapping
        Each with ``class`` (what was asked for) and ``predicted`` (what was decided, None if nothing was).
    classes : sequence of str
        All classes, in the order of the confusion matrix.
    sealed : bool
        The arm is blinded: how often what moved was right would tell whether the decoder or a plan moved it, so no
        trial is judged.

    Returns
    -------
    dict
        ``n_trials``, ``n_correct``, ``n_undecided`` (these count as wrong), ``n_not_judged`` (trials beside these that
        were skipped, or that the therapist or the plan of an arm decided), ``online_accuracy``, its 95 % interval
        ``accuracy_interval``, ``chance_level`` (one over the classes; where they are clearly not equally frequent, as
        with few idle trials, the share of the commonest), ``chance_upper`` (95 % bound of a guesser, Combrisson &
        Jerbi 2015), ``above_chance`` (None, as the bound, where all judged trials are of one class: always saying it is
        right), ``confusion`` with rows of true classes and a last column of undecided trials.
    """
    from bcikit.decoding.chance import accuracy_interval, guesser_bound, guessing

    known = [trial for trial in trials if trial.get("class") in classes]
    rows = [] if sealed else [trial for trial in known if judged(trial)]
    n = len(rows)
    correct = sum(trial.get("predicted") == trial["class"] for trial in rows)
    asked = Counter(trial["class"] for trial in rows)
    chance = guessing([asked[name] for name in classes])
    upper = guesser_bound(n, chance) if len(asked) > 1 else None
    accuracy = correct / n if n else None
    return {
        "n_trials": n if known else len(trials),
        "n_correct": correct,
        "n_undecided": sum(trial.get("predicted") is None for trial in rows),
        "n_not_judged": len(known) - n,
        "online_accuracy": accuracy,
        "accuracy_interval": list(accuracy_interval(correct, n)) if n else [0.0, 1.0],
        "chance_level": chance,
        "chance_upper": upper,
        "above_chance": None if accuracy is None or upper is None else accuracy > upper,
        "classes": list(classes),
        "confusion": confusion([row["class"] for row in rows], [row.get("predicted") for row in rows], classes),
    }


def title_of(session: str, paradigm: Paradigm) -> str:
    """Return what a session is called in its report: the paradigm's title, after a name that says more than it."""
    title = paradigm.settings.title or paradigm.name
    return title if session in (paradigm.name, "session", title) else f"{session}: {title}"


def to_json(values: Any) -> str:
    """Return JSON that other programs read: no NaN, numpy numbers as numbers."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.ndarray):
            return value.tolist()
        raise TypeError(f"{type(value).__name__} has no place in JSON")

    def finite(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if isinstance(value, Mapping):
            return {str(key): finite(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [finite(item) for item in value]
        return value

    return json.dumps(finite(json.loads(json.dumps(values, default=plain))), indent=2, allow_nan=False)
