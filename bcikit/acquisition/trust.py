"""Whether the times of a recording can be trusted: what was said of them while they were made, as reasons for doubt."""

from collections.abc import Iterable
from typing import Any

from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.watchdog import Pulse
from bcikit.signal import Event

LARGEST = 0.05
"""Seconds of uncertainty above which a time is in doubt: an ERP moves by a component."""


UNKNOWN_CLOCKS = frozenset({"arrival", "behind"})
"""What "stream/foreign-clock" says where stamps tell no time that can be trusted."""


class TimeTrust:
    """Collects what a source says of its times; every recorder asks it in the end.

    Attributes
    ----------
    notes : list of str
        What a person should know, and need not act on.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._doubts: list[str] = []
        self._gone: set[str] = set()
        self._unplaced: dict[str, int] = {}
        self._vague: dict[str, float] = {}
        self._estimates: list[tuple[int, float]] = []

    def see(self, events: Iterable[Event]) -> None:
        """Take note of the events of a source."""
        for event in events:
            said = str(event.data.get("said", ""))
            if event.name == "stream/foreign-clock":
                # UNIX time is mapped exactly; of what is dated by its arrival, nobody knows how late it came.
                self._add(self._doubts if event.data.get("clock") in UNKNOWN_CLOCKS else self.notes, said)
            elif event.name == "stream/failed":
                error = str(event.data.get("error", f"{event.source} is gone."))
                self._gone.add(event.source)
                self._add(self._doubts, f"{error} Its channels are marked from there on.")
            elif event.name in ("stream/markers-back", "stream/board"):
                self._add(self._doubts, said)
            elif event.name == "stream/markers-gone":
                self._add(self.notes, said)
            uncertainty = event.data.get("uncertainty")
            if event.name == "stream/gap" and uncertainty:
                self._estimates.append((int(event.value or 0), float(uncertainty)))
            if uncertainty is not None and not event.name.startswith("stream/"):
                if event.sample is None:
                    self._unplaced[event.source] = self._unplaced.get(event.source, 0) + 1
                elif float(uncertainty) > LARGEST:
                    self._vague[event.source] = max(self._vague.get(event.source, 0.0), float(uncertainty))

    @staticmethod
    def _add(where: list[str], said: str) -> None:
        if said and said not in where:
            where.append(said)

    def doubts(self, status: StreamStatus, *, samples: int) -> list[str]:
        """Return the reasons not to trust the times, in words; empty where there is none.

        Parameters
        ----------
        status : StreamStatus
            The state of the source at the end.
        samples : int
            How many samples were kept.
        """
        found = list(self._doubts)
        if samples == 0:
            found.append(f"{status.name}: no sample came.")
        found += _clock_doubts(status)
        for other in status.joined:
            if other.pulse in (Pulse.WAITING, Pulse.LOST) and other.name not in self._gone:
                found.append(f"{other.name}: nothing came from it any more; its channels are marked.")
            found += _clock_doubts(other)
        worst = max((known_to for _, known_to in self._estimates), default=0.0)
        if worst > max(LARGEST, 3.0 / status.rate if status.rate else 0.0):
            lost = sum(count for count, _ in self._estimates)
            found.append(
                f"{status.name}: no counter says how many samples were lost, and the times say it to "
                f"{1e3 * worst:.0f} ms only: {lost} in {len(self._estimates)} gaps is an estimate."
            )
        for source, count in sorted(self._unplaced.items()):
            found.append(f"{source}: {count} markers lie on no sample of {status.name}.")
        for source, worst in sorted(self._vague.items()):
            found.append(f"{source}: markers are known to {1e3 * worst:.0f} ms only.")
        return found

    def header(self, status: StreamStatus, doubts: list[str]) -> dict[str, Any]:
        """Return what the header of a recording says of its times; ready for JSON.

        Parameters
        ----------
        status : StreamStatus
            The state of the source at the end.
        doubts : list of str
            From `doubts`.
        """
        uncertainty = status.time_uncertainty if status.time_uncertainty < float("inf") else None
        return {"stamps": status.stamps, "uncertainty": uncertainty, "doubts": doubts, "notes": self.notes}


def _clock_doubts(status: StreamStatus) -> list[str]:
    """Return what is in doubt of the times of one device."""
    found = []
    if status.seeming_rate is not None:
        found.append(
            f"{status.name}: {status.seeming_rate:.4g} samples a second seem to come, which is not what it states, "
            "and its times follow what it states. If that is the device's rate, say so: option "
            f"'sfreq={status.seeming_rate:.4g}' of the address."
        )
    elif LARGEST < status.time_uncertainty < float("inf"):
        found.append(
            f"{status.name}: the times of its samples are known to {1e3 * status.time_uncertainty:.0f} ms only."
        )
    if status.clock_steps:
        found.append(
            f"{status.name}: its clock was set {status.clock_steps} times; times after that are known by the "
            "arrival of a block only."
        )
    if status.overflows:
        found.append(f"{status.name}: a buffer was full {status.overflows} times; what was lost there is an estimate.")
    return found
