"""The run of a bench: every test of a profile on one source, and what is left in the folder."""

import contextlib
import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bcikit.acquisition import Source, open_source
from bcikit.signal import BciError, DataError, MissingDependencyError, SourceError
from bcikit.signal.secrecy import without_secrets
from bcikit.simulation.stimulus import Stimulus
from bcikit.validation.bench import Ask, Bench, bench_for, describe, record
from bcikit.validation.bench_file import BenchFile
from bcikit.validation.catalogue import RESIDUAL, TESTS, BenchTest
from bcikit.validation.clauses import clauses
from bcikit.validation.evaluate import evaluate
from bcikit.validation.profile import Profile
from bcikit.validation.results import Judgement, Measurement, Outcome, worst
from bcikit.validation.sbom import sbom
from bcikit.validation.takes import Take
from bcikit.validation.verify import KIND, RESULT, written
from bcikit.version import __version__

Show = Callable[[str, float], None]
"""Takes what is being done and how far the whole run is, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything about one run.

    Attributes
    ----------
    source : str
        Address.
    device, profile : mapping
        What was tested, and by what.
    outcomes : tuple of Outcome
        One a test.
    files : mapping
        SHA-256 of each file with raw data.
    about : mapping
        When, where, with which versions.
    unsigned : str
        Why the result that was written has no signature; empty if it has one, or if nothing was written.
    """

    source: str
    device: dict[str, Any]
    profile: Profile
    outcomes: tuple[Outcome, ...]
    files: dict[str, str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    unsigned: str = ""

    @property
    def judgement(self) -> Judgement:
        """The worst outcome of the tests that apply; a bench that is out of date leaves nothing conclusive."""
        bench = self.about.get("bench")
        doubt = [Judgement.INCONCLUSIVE] if bench and bench["problems"] else []
        return worst([*(outcome.judgement for outcome in self.outcomes), *doubt])

    @property
    def exit_code(self) -> int:
        """0 if no test fails, 1 if one fails, stays inconclusive, finds what it cannot explain, or breaks."""
        return 0 if self.judgement in (Judgement.PASS, Judgement.REPORT, Judgement.NOT_APPLICABLE) else 1

    def outcome(self, test: str) -> Outcome:
        """Return the outcome of one test, by its id."""
        for item in self.outcomes:
            if item.test == test:
                return item
        raise DataError(f"{test} is not in this report; it has {', '.join(item.test for item in self.outcomes)}.")

    def value(self, test: str, quantity: str) -> Measurement:
        """Return one measurement, by the id of its test and its name."""
        for measurement in self.outcome(test).measurements:
            if measurement.quantity == quantity:
                return measurement
        raise DataError(f"{test} did not measure {quantity!r}.")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        counts = {item.value: sum(o.judgement is item for o in self.outcomes) for item in Judgement}
        return {
            "judgement": self.judgement.value,
            "exit_code": self.exit_code,
            "source": self.source,
            "device": self.device,
            "profile": {"name": self.profile.name, **self.profile.to_dict()},
            "clauses": [clause.to_dict() for clause in clauses(self.profile, self.outcomes)],
            "counts": counts,
            "tests": [outcome.to_dict() for outcome in self.outcomes],
            "files": self.files,
            "about": self.about,
        }


def default_profile(address: str) -> str:
    """Return the profile that fits an address where none was named."""
    return "brainflow-synthetic" if address.lower() in ("brainflow:synthetic", "brainflow:-1") else "research"


def raw_stamps(address: str) -> str:
    """Return an address that gives time stamps as they come: what is tested must not be smoothed before."""
    scheme = address.partition(":")[0].lower()
    if scheme not in ("brainflow", "lsl") or "dejitter" in address:
        return address
    joint = "&" if "?" in address or (scheme == "lsl" and "=" in address) else "?"
    return f"{address}{joint}dejitter=0"


def validate(
    address: str,
    *,
    profile: Profile | None = None,
    out: Path | None = None,
    ask: Ask | None = None,
    show: Show | None = None,
    tests: tuple[str, ...] = (),
    setup: Stimulus | None = None,
    bench_file: BenchFile | None = None,
) -> Report:
    """Test a source.

    Parameters
    ----------
    address : str
        Of the source.
    profile : Profile or None
        Limits and conditions; the one that fits the address if left out.
    out : Path or None
        New folder for report, results and raw data; nothing is written without.
    ask : callable or None
        Shows a set-up to an operator and returns False if it is to be skipped; None runs unattended.
    show : callable or None
        Takes the progress.
    tests : tuple of str
        Ids, where not all of the profile are wanted.
    setup : Stimulus or None
        For a recording (``file:...``): what was connected while it was made.
    bench_file : BenchFile or None
        Operator, environment, unit, instruments with their calibrations: into the report, and what is missing or out of
        date makes it INCONCLUSIVE.

    Returns
    -------
    Report

    Raises
    ------
    BciError
        If the source cannot be opened or the folder not be written, or holds something.
    """
    if out is not None:
        check_new(out)
    chosen = profile or Profile.load(default_profile(address))
    # What nothing explains is looked for in every run, unless somebody names the tests by hand.
    wanted = select(tests or ((*chosen.tests, RESIDUAL) if chosen.tests else ()))
    opened = open_source(raw_stamps(address))
    folder = None
    if out is not None:
        # Not before the source is there: a wrong name leaves nothing behind.
        folder = out / "raw"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            opened.close()
            raise BciError(f"{out} cannot be written: {error}") from error
    begin = time.time()
    with opened as source:
        bench = bench_for(source, ask=ask, generator=bool(chosen.expected), setup=setup)
        run = _Run(source, bench, chosen, folder, show or (lambda _text, _share: None))
        outcomes = run.all(wanted)
        report = Report(
            source=without_secrets(address),
            device=source.info.to_dict(),
            profile=chosen,
            outcomes=outcomes,
            files=run.files,
            about={
                "begin": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin)),
                "seconds": round(time.time() - begin, 2),
                "bcikit": __version__,
                "python": platform.python_version(),
                "machine": platform.platform(),
                **({} if bench_file is None else {"bench": _stated(bench_file)}),
            },
        )
    if out is not None:
        report = replace(report, unsigned=write(report, out))
    return report


def check_new(out: Path) -> None:
    """Refuse a folder that holds something: what was measured is evidence, and belongs to one report."""
    with contextlib.suppress(OSError):
        if out.is_dir() and any(out.iterdir()):
            raise BciError(f"{out} is not empty; a report is never written over another. Name a new folder (--out).")


def _stated(bench_file: BenchFile) -> dict[str, Any]:
    today = datetime.now(tz=UTC).date()
    return {**bench_file.to_dict(), "problems": bench_file.problems(today)}


def select(tests: tuple[str, ...]) -> tuple[BenchTest, ...]:
    """Return tests by their ids; all if none is named."""
    from bcikit.signal import check_choice

    known = {test.test: test for test in TESTS}
    for name in tests:
        check_choice("test", name, known)
    return tuple(test for test in TESTS if not tests or test.test in tests)


def write(report: Report, out: Path) -> str:
    """Write ``result.json``, ``report.html`` and ``junit.xml``.

    The result holds the hash of every other file and is signed with this user's key, where `cryptography` is installed.

    Returns
    -------
    str
        Why it is not signed; empty if it is.
    """
    from bcikit.signal.signing import sign
    from bcikit.validation.html import render
    from bcikit.validation.junit import junit

    values: dict[str, Any] = {"kind": KIND, **report.to_dict()}
    files = dict(report.files)
    bill = json.dumps(sbom(), indent=1)
    for name, text in (("junit.xml", junit(report)), ("report.html", render(report)), ("sbom.json", bill)):
        (out / name).write_bytes(text.encode("utf-8"))
        files[name] = hashlib.sha256(text.encode("utf-8")).hexdigest()
    values["files"] = files
    unsigned = ""
    try:
        values = sign(values)
    except MissingDependencyError as error:
        unsigned = f"Not signed, so 'bcikit verify' cannot vouch for it. {error}"
    (out / RESULT).write_bytes(written(values).encode("utf-8"))
    return unsigned


class _Run:
    """Records each set-up once and computes every test that uses it."""

    def __init__(self, source: Source, bench: Bench, profile: Profile, folder: Path | None, show: Show) -> None:
        self._source = source
        self._bench = bench
        self._profile = profile
        self._folder = folder
        self._show = show
        self._takes: dict[Stimulus, Take] = {}
        self._failed: dict[Stimulus, DataError | SourceError] = {}
        self._done = 0.0
        self._total = 1.0
        self.files: dict[str, str] = {}

    def all(self, tests: tuple[BenchTest, ...]) -> tuple[Outcome, ...]:
        """Run every test."""
        plans = {
            test.test: [self._bench.same(s) for s in test.setups(self._source.info, self._profile)] for test in tests
        }
        reasons = {test.test: self._bench.refuses(test) or self._misfit(plans[test.test]) for test in tests}
        needed = {s for test in tests if not reasons[test.test] for s in plans[test.test]}
        self._total = sum(stimulus.seconds for stimulus in needed) or 1.0
        return tuple(self._one(test, plans[test.test], reasons[test.test]) for test in tests)

    def _misfit(self, plan: list[Stimulus]) -> str:
        """Return why a recording cannot serve for a test, or nothing."""
        fits = getattr(self._bench, "fits", None)
        missing = [describe(stimulus) for stimulus in plan if fits is not None and not fits(stimulus)]
        if missing:
            return f"was not recorded: {missing[0]}"
        if fits is not None and len(set(plan)) < len(plan):
            # One recording in the place of several agrees with itself, whatever the device does.
            return f"compares {len(plan)} recordings; there is one"
        return ""

    def _one(self, test: BenchTest, plan: list[Stimulus], reason: str) -> Outcome:
        blank = Outcome(test=test.test, title=test.title, judgement=Judgement.NOT_APPLICABLE, reason=reason)
        if reason:
            return blank
        try:
            takes = [self._take(test, stimulus) for stimulus in plan]
        except (DataError, SourceError) as error:
            return replace(blank, judgement=Judgement.INCONCLUSIVE, reason=f"could not be measured: {error}")
        except Exception as error:  # noqa: BLE001 - a device that breaks must not take the report along
            said = f"{type(error).__name__}: {error}"
            return replace(blank, judgement=Judgement.ERROR, reason=f"could not be recorded: {said}")
        whole = [take for take in takes if take is not None]
        if len(whole) < len(takes):
            return replace(blank, reason="skipped by the operator")
        return evaluate(test, list(self._takes.values()) if test.test == RESIDUAL else whole, self._profile)

    def _take(self, test: BenchTest, stimulus: Stimulus) -> Take | None:
        if stimulus in self._takes:
            return self._takes[stimulus]
        if stimulus in self._failed:
            raise self._failed[stimulus]
        text = f"{test.test} {describe(stimulus)}"
        self._show(text, self._done / self._total)
        if not self._bench.arrange(test, stimulus):
            return None
        key = f"{len(self._takes) + 1:03d}-{stimulus.kind}"
        done = self._done
        try:
            take = record(
                self._source,
                stimulus,
                key,
                progress=lambda share: self._show(text, (done + share * stimulus.seconds) / self._total),
            )
        except (DataError, SourceError) as error:
            # Whoever waited for a silent device once does not wait again for each test of the same set-up.
            self._failed[stimulus] = error
            raise
        self._done = done + stimulus.seconds
        self._takes[stimulus] = take
        if self._folder is not None:
            name, digest = take.save(self._folder)
            self.files[f"raw/{name}"] = digest
        return take
