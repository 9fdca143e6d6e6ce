"""Profiles: which limits a device is judged by, for how long it is measured, and how good the bench is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from bcikit.signal import ConfigError, check_choice
from bcikit.signal.documents import packaged_toml, read_toml
from bcikit.simulation.stimulus import Instruments
from bcikit.validation.quantities import QUANTITIES, factor, near
from bcikit.validation.results import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Limits and conditions.

    Attributes
    ----------
    name, title, note : str
        For people.
    limits : tuple of Limit
        A quantity may have several: each is judged, and the worst counts.
    durations : mapping
        Seconds by name ("noise", "timing", ...), where they differ from the protocol.
    instruments : Instruments
        Standard uncertainties of the bench.
    expected : mapping
        What the device's own test signal is documented to be.
    tests : tuple of str
        Ids of the tests to run; empty for all.
    """

    name: str
    title: str
    note: str = ""
    limits: tuple[Limit, ...] = ()
    durations: Mapping[str, float] = field(default_factory=dict)
    instruments: Instruments = field(default_factory=Instruments)
    expected: Mapping[str, list[float]] = field(default_factory=dict)
    tests: tuple[str, ...] = ()

    def seconds(self, name: str, default: float) -> float:
        """Return how long a set-up is recorded."""
        return float(self.durations.get(name, default))

    def limits_of(self, test: str, quantity: str | None = None) -> tuple[Limit, ...]:
        """Return the limits of a quantity, or of all quantities of a test."""
        return tuple(item for item in self.limits if item.test == test and quantity in (None, item.quantity))

    @classmethod
    def load(cls, name: str | Path) -> Self:
        """Return a profile that ships with bcikit, by its name, or one from a TOML file.

        Raises
        ------
        ConfigError
            Listing everything that is wrong in the file.
        """
        path = Path(name)
        if path.suffix == ".toml":
            return cls._from_dict(read_toml(path), str(path), path.stem)
        check_choice("profile", str(name), profile_names())
        shipped = dict(packaged_toml("bcikit.validation.profiles"))
        return cls._from_dict(shipped[f"{name}.toml"], f"profile {name}", path.stem)

    @classmethod
    def _from_dict(cls, values: dict[str, Any], where: str, name: str) -> Self:
        problems: list[str] = []
        for key in sorted(set(values) - {"title", "note", "limit", "seconds", "instruments", "expected", "tests"}):
            problems.append(f"{key}: unknown key; allowed: title, note, tests, seconds, instruments, expected, limit")
        limits = []
        for number, entry in enumerate(values.get("limit", []), 1):
            limits.append(_limit(entry, f"limit {number}", problems))
        tests = values.get("tests", [])
        for test in tests:
            if test not in QUANTITIES:
                problems.append(f"tests: {test!r} is no test{near(str(test), list(QUANTITIES))}")
        for number, item in enumerate(limits, 1):
            if item is not None and tests and item.test not in tests:
                problems.append(
                    f"limit {number}: is for {item.test}, which 'tests' does not run; nobody would judge it"
                )
        numbers = dict(values.get("instruments", {}))
        allowed = {item.name for item in fields(Instruments)}
        for key in sorted(set(numbers) - allowed):
            problems.append(f"instruments.{key}: unknown key; allowed: {', '.join(sorted(allowed))}")
        for section in ("seconds", "instruments"):
            for key, value in values.get(section, {}).items():
                if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                    problems.append(f"{section}.{key}: {value!r} must be a number above 0")
        if problems:
            raise ConfigError(where, problems)
        return cls(
            name=name,
            title=str(values.get("title", name)),
            note=str(values.get("note", "")),
            limits=tuple(item for item in limits if item is not None),
            durations=values.get("seconds", {}),
            instruments=Instruments(**numbers),
            expected=values.get("expected", {}),
            tests=tuple(values.get("tests", ())),
        )


def _limit(entry: Mapping[str, Any], where: str, problems: list[str]) -> Limit | None:
    """Return one limit of a file; what is wrong with it is added to `problems`."""
    known = {"test", "quantity", "min", "max", "unit", "source", "verified"}
    before = len(problems)
    problems += [f"{where}.{key}: unknown key; allowed: {', '.join(sorted(known))}" for key in set(entry) - known]
    for key in ("test", "quantity", "unit", "source"):
        if not isinstance(entry.get(key), str):
            problems.append(f"{where}.{key}: is missing (a text)")
    if "min" not in entry and "max" not in entry:
        problems.append(f"{where}: needs min, max or both")
    for key in ("min", "max"):
        if key in entry and (isinstance(entry[key], bool) or not isinstance(entry[key], int | float)):
            problems.append(f"{where}.{key}: {entry[key]!r} must be a number")
    if not isinstance(entry.get("verified", False), bool):
        problems.append(f"{where}.verified: {entry['verified']!r} must be true or false, without quotes")
    if len(problems) > before:
        return None
    test, quantity = entry["test"], entry["quantity"]
    if test not in QUANTITIES:
        problems.append(f"{where}.test: {test!r} is no test{near(test, list(QUANTITIES))}")
        return None
    if quantity not in QUANTITIES[test]:
        problems.append(
            f"{where}.quantity: {test} does not measure {quantity!r}{near(quantity, list(QUANTITIES[test]))}"
        )
        return None
    unit = QUANTITIES[test][quantity]
    scale = factor(entry["unit"], unit)
    if scale is None:
        problems.append(f"{where}.unit: {entry['unit']!r} cannot be compared with {quantity}, which is in {unit!r}")
        return None
    low, high = scale * float(entry.get("min", "-inf")), scale * float(entry.get("max", "inf"))
    if not low < high:
        problems.append(f"{where}: min must be below max; nothing could keep it")
        return None
    return Limit(
        test=test,
        quantity=quantity,
        low=low,
        high=high,
        unit=unit,
        source=entry["source"],
        verified=bool(entry.get("verified", False)),
    )


def profile_names() -> tuple[str, ...]:
    """Return the profiles that ship with bcikit."""
    folder = files("bcikit.validation") / "profiles"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))
