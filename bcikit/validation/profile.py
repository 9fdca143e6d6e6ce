"""Profiles: which limits a device is judged by, for how long it is measured, and how good the bench is."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from bcikit.signal import ConfigError, DataError, check_choice
from bcikit.signal.documents import packaged_toml, read_toml
from bcikit.signal.rebuild import LARGEST_INT, known_fields, rebuild, short
from bcikit.simulation.stimulus import Instruments
from bcikit.validation.clauses import Clause
from bcikit.validation.quantities import DURATIONS, EXPECTED, QUANTITIES, factor, near
from bcikit.validation.results import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What a TOML file of a profile holds, by kind; what stands in its parts is judged part by part."""

    title: str = ""
    note: str = ""
    tests: list[str] = field(default_factory=list)
    seconds: dict[str, Any] = field(default_factory=dict)
    instruments: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, list[float]] = field(default_factory=dict)
    clause: list[dict[str, Any]] = field(default_factory=list)
    limit: list[dict[str, Any]] = field(default_factory=list)


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
    clauses : tuple of Clause
        Of the document that the limits come from; the report answers each.
    """

    name: str
    title: str
    note: str = ""
    limits: tuple[Limit, ...] = ()
    durations: Mapping[str, float] = field(default_factory=dict)
    instruments: Instruments = field(default_factory=Instruments)
    expected: Mapping[str, list[float]] = field(default_factory=dict)
    tests: tuple[str, ...] = ()
    clauses: tuple[Clause, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what a TOML file of this profile holds, ready for JSON; `from_dict` reads it again."""
        return {
            "title": self.title,
            "note": self.note,
            "tests": list(self.tests),
            "seconds": dict(self.durations),
            "instruments": asdict(self.instruments),
            "expected": {name: list(values) for name, values in self.expected.items()},
            "clause": [asdict(item) for item in self.clauses],
            "limit": [_written(item) for item in self.limits],
        }

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
            return cls.from_dict(read_toml(path), str(path), path.stem)
        check_choice("profile", str(name), profile_names())
        shipped = dict(packaged_toml("bcikit.validation.profiles"))
        return cls.from_dict(shipped[f"{name}.toml"], f"profile {name}", path.stem)

    @classmethod
    def from_dict(cls, values: Any, where: str, name: str) -> Self:
        """Return the profile that a TOML file, or a result, holds.

        Raises
        ------
        ConfigError
            Listing everything that is wrong in it; `where` names it.
        """
        problems: list[str] = []
        allowed_keys = [item.name for item in fields(_File)]
        try:
            rebuild(_File, known_fields(_File, values) if isinstance(values, Mapping) else values, what="it")
        except DataError as error:
            raise ConfigError(where, [str(error)]) from None
        for key in sorted(set(values) - set(allowed_keys)):
            problems.append(f"{key}: unknown key; allowed: {', '.join(allowed_keys)}")
        limits = []
        for number, entry in enumerate(values.get("limit", []), 1):
            limits.append(_limit(entry, f"limit {number}", problems))
        asked = _clauses(values.get("clause", []), [item for item in limits if item is not None], problems)
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
        for key in sorted(set(values.get("seconds", {})) - set(DURATIONS)):
            problems.append(f"seconds.{key}: nothing is recorded under this name{near(key, list(DURATIONS))}")
        problems += _expected(values.get("expected", {}))
        for section in ("seconds", "instruments"):
            for key, value in values.get(section, {}).items():
                if not _is_number(value) or value <= 0:
                    problems.append(f"{section}.{key}: {short(value)} must be a number above 0")
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
            clauses=asked,
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_INT


def _expected(values: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with what a device's own test signal should be."""
    problems = []
    for key, numbers in values.items():
        if key not in EXPECTED:
            problems.append(f"expected.{key}: nothing is compared with it{near(key, list(EXPECTED))}")
        elif not isinstance(numbers, list) or not numbers or not all(_is_number(one) and one for one in numbers):
            problems.append(f"expected.{key}: {short(numbers)} must be a list of numbers that are not 0")
        elif EXPECTED[key] not in (None, len(numbers)):
            problems.append(f"expected.{key}: {short(numbers)} must be {EXPECTED[key]} numbers")
    sines = {key: values[key] for key in ("frequency", "rms", "dc") if key in values}
    if not problems and sines and (len(sines) < 3 or len(set(map(len, sines.values()))) > 1):
        problems.append("expected: frequency, rms and dc belong together, a number each for every channel")
    return problems


def _written(item: Limit) -> dict[str, Any]:
    """Return a limit as a TOML file holds it."""
    ends = {"min": item.low, "max": item.high}
    return {
        "test": item.test,
        "quantity": item.quantity,
        **{name: value for name, value in ends.items() if math.isfinite(value)},
        "unit": item.unit,
        "source": item.source,
        "verified": item.verified,
        **({"clause": item.clause} if item.clause else {}),
    }


def _clauses(entries: Any, limits: list[Limit], problems: list[str]) -> tuple[Clause, ...]:
    """Return the clauses of a file; what is wrong with them, and with limits that name them, is added to `problems`."""
    made = []
    for number, entry in enumerate(entries, 1):
        try:
            made.append(rebuild(Clause, entry, what=f"clause {number}"))
        except DataError as error:
            problems.append(str(error))
    known = [item.clause for item in made]
    problems += [f"clause {name!r} stands there twice" for name in dict.fromkeys(known) if known.count(name) > 1]
    answered = {item.clause for item in limits}
    for name in sorted(answered - {"", *known}):
        problems.append(f"a limit is for clause {name!r}, and there is no such [[clause]]{near(name, known)}")
    for item in made:
        if item.clause not in answered and not item.left_out:
            problems.append(f"clause {item.clause!r}: no limit answers it, so 'left_out' must say why")
    return tuple(made)


def _limit(entry: Mapping[str, Any], where: str, problems: list[str]) -> Limit | None:
    """Return one limit of a file; what is wrong with it is added to `problems`."""
    known = {"test", "quantity", "min", "max", "unit", "source", "verified", "clause"}
    before = len(problems)
    problems += [f"{where}.{key}: unknown key; allowed: {', '.join(sorted(known))}" for key in set(entry) - known]
    for key in ("test", "quantity", "unit", "source"):
        if not isinstance(entry.get(key), str):
            problems.append(f"{where}.{key}: is missing (a text)")
    if "min" not in entry and "max" not in entry:
        problems.append(f"{where}: needs min, max or both")
    for key in ("min", "max"):
        if key in entry and not _is_number(entry[key]):
            problems.append(f"{where}.{key}: {short(entry[key])} must be a number")
    if not isinstance(entry.get("clause", ""), str):
        problems.append(f"{where}.clause: {entry['clause']!r} must be a text, in quotes")
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
        clause=entry.get("clause", ""),
    )


def profile_names() -> tuple[str, ...]:
    """Return the profiles that ship with bcikit."""
    folder = files("bcikit.validation") / "profiles"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))
