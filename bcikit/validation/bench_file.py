"""The bench file: who measures, where, with which instruments and on which unit; kept from run to run."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Self

from bcikit.signal import ConfigError
from bcikit.signal.documents import read_toml

ASKED = {
    "operator": "Who measures",
    "place": "Where",
    "temperature": "Temperature, degrees Celsius",
    "humidity": "Humidity, per cent",
    "unit": "Serial number of the device under test",
    "firmware": "Version of its firmware",
    "generator": "Generator: model and serial number",
    "certificate": "Id of the generator's calibration certificate",
    "calibrated": "Date of that calibration, YYYY-MM-DD",
    "due": "Date until which it holds, YYYY-MM-DD",
}
"""What a report has to say of its bench, and how an operator is asked."""

_INSTRUMENT = ("name", "certificate", "calibrated", "due")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchFile:
    """What is known of a bench.

    Attributes
    ----------
    values : mapping
        Texts by the names of `ASKED` that are not of an instrument.
    instruments : tuple of mapping
        Each with name, certificate, calibrated and due (dates as YYYY-MM-DD).
    """

    values: dict[str, str] = field(default_factory=dict)
    instruments: tuple[dict[str, str], ...] = ()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what a file says; an empty bench if there is none.

        Raises
        ------
        ConfigError
            Listing everything that is wrong in it.
        """
        if not path.is_file():
            return cls()
        values = read_toml(path)
        problems = []
        plain = [name for name in ASKED if name not in ("generator", *_INSTRUMENT)]
        for key in sorted(set(values) - {*plain, "instrument"}):
            problems.append(f"{key}: unknown key; allowed: {', '.join(plain)}, [[instrument]]")
        instruments: list[dict[str, str]] = []
        items = values.get("instrument", [])
        if not (isinstance(items, list) and all(isinstance(item, dict) for item in items)):
            problems.append("instrument: must be tables; each one begins with [[instrument]], in double brackets")
            items = []
        for number, item in enumerate(items, 1):
            for key in sorted(set(item) - set(_INSTRUMENT)):
                problems.append(f"instrument {number}.{key}: unknown key; allowed: {', '.join(_INSTRUMENT)}")
            instruments.append({key: str(item.get(key, "")) for key in _INSTRUMENT})
            for key in ("calibrated", "due"):
                if instruments[-1][key] and _day(instruments[-1][key]) is None:
                    problems.append(f"instrument {number}.{key}: {instruments[-1][key]!r} is no date (YYYY-MM-DD)")
        if problems:
            raise ConfigError(str(path), problems)
        texts = {key: str(values[key]) for key in plain if key in values}
        return cls(values=texts, instruments=tuple(instruments))

    def save(self, path: Path) -> None:
        """Write it, for the next run."""
        lines = [f"{key} = {_quoted(text)}" for key, text in self.values.items()]
        for item in self.instruments:
            lines += ["", "[[instrument]]", *(f"{key} = {_quoted(item[key])}" for key in _INSTRUMENT if item.get(key))]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def asked(self, ask: Callable[[str], str]) -> Self:
        """Return the bench with what was missing asked for; an empty answer leaves it missing."""
        values, new = dict(self.values), dict.fromkeys(_INSTRUMENT, "")
        for name, question in ASKED.items():
            if name in ("generator", *_INSTRUMENT):
                if not self.instruments:
                    new["name" if name == "generator" else name] = ask(question).strip()
            elif not values.get(name) and (answer := ask(question).strip()):
                values[name] = answer
        instruments = self.instruments or ((new,) if any(new.values()) else ())
        return replace(self, values=values, instruments=instruments)

    def problems(self, today: date) -> list[str]:
        """Return what is missing or out of date: a value is only as good as the bench it was measured on."""
        said = [
            f"{ASKED[name].lower()}: not stated"
            for name in ("operator", "unit", "firmware")
            if not self.values.get(name)
        ]
        if not self.instruments:
            said.append("no instrument with a calibration is stated: the uncertainties of the profile are only claimed")
        for item in self.instruments:
            name, due, done = item.get("name") or "an instrument", _day(item.get("due", "")), item.get("calibrated", "")
            if not item.get("certificate"):
                said.append(f"{name}: no calibration certificate is stated")
            if due is None:
                said.append(f"{name}: until when its calibration holds is not stated")
            elif due < today:
                said.append(f"{name}: its calibration ended on {due.isoformat()}")
            if (day := _day(done)) is not None and day > today:
                said.append(f"{name}: its calibration is said to be of {done}, which has not come yet")
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {**self.values, "instruments": [dict(item) for item in self.instruments]}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)
