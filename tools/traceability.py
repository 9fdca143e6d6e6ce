"""Joins hazards, requirements and tests into one table; `--check` fails where something is missing.

uv run pytest tests/safety --junitxml results.xml
uv run python tools/traceability.py --results results.xml
uv run python tools/traceability.py --check
"""

import argparse
import re
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "safety"
TABLE = FOLDER / "traceability.md"
WHOLE_WAYS = ("cli/", "clinic/", "integration/", "presentation/", "session/", "viewer/")
"""Rooms whose tests go from a session, a command or a window to a person; others are named in `end_to_end`."""
RED = '<span style="color:red">**none**</span>'
_MARK = re.compile(r"""requirement\(\s*["']([A-Z]+-\d+)["']""")
_TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


def tests_by_requirement(root: Path) -> dict[str, list[str]]:
    """Return the tests that carry each requirement's id: those whose decorators, as written, name it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(root.rglob("test_*.py")):
        text = path.read_text("utf-8")
        start = 0
        for match in _TEST.finditer(text):
            # What stands between the end of the function before and this one are the decorators.
            head = text[start : match.start()]
            decorators = head[head.rfind("\n\n\n") + 1 :]
            for requirement in dict.fromkeys(_MARK.findall(decorators)):
                found[requirement].append(f"{path.parent.name}/{path.stem}::{match.group(1)}")
            start = match.end()
    machine = root / "safety" / "test_properties.py"
    if machine.is_file():
        for requirement in re.findall(r"SAF-\d+", machine.read_text("utf-8")):
            found[requirement].append("safety/test_properties::TestSafetyMachine")
    return {key: list(dict.fromkeys(names)) for key, names in found.items()}


def all_tests(root: Path) -> set[str]:
    """Return the names of all tests there are."""
    return {
        f"{path.parent.name}/{path.stem}::{name}"
        for path in root.rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }


def outcomes(results: Path | None) -> dict[str, str]:
    """Return "passed", "FAILED" or "skipped" by test, from a JUnit file; the worst of all parameters counts."""
    if results is None:
        return {}
    rank = {"skipped": 0, "passed": 1, "FAILED": 2}
    found: dict[str, str] = {}
    for case in ET.parse(results).getroot().iter("testcase"):
        outcome = "passed"
        if case.find("failure") is not None or case.find("error") is not None:
            outcome = "FAILED"
        elif case.find("skipped") is not None:
            outcome = "skipped"
        module = (case.get("classname") or "").split(".")
        name = (case.get("name") or "").split("[")[0]
        place = next((index for index, part in enumerate(module) if part.startswith("test_")), 0)
        stem = "/".join(module[max(place - 1, 0) : place + 1])
        key = f"{stem}::{'TestSafetyMachine' if name == 'runTest' else name}"
        if key not in found or rank[outcome] > rank[found[key]]:
            found[key] = outcome
    return found


def rows(results: Path | None) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the table and what is missing."""
    requirements = tomllib.loads((FOLDER / "requirements.toml").read_text("utf-8"))["requirement"]
    hazards = {h["id"]: h for h in tomllib.loads((FOLDER / "hazards.toml").read_text("utf-8"))["hazard"]}
    tests = tests_by_requirement(ROOT / "tests")
    there = all_tests(ROOT / "tests")
    passed = outcomes(results)
    problems: list[str] = []
    ids = [requirement["id"] for requirement in requirements]
    problems += [f"{name} stands twice in requirements.toml" for name in set(ids) if ids.count(name) > 1]
    problems += [f"{name} is proved by {proofs[0]} but is no requirement" for name, proofs in tests.items()
                 if name not in ids and name.startswith("SAF-")]  # fmt: skip
    table = []
    for requirement in requirements:
        name = requirement["id"]
        named = requirement.get("end_to_end", [])
        problems += [f"{name} names {test}, which is no test" for test in named if test not in there]
        marked = tests.get(name, [])
        proofs = list(dict.fromkeys([*marked, *named]))
        whole = list(dict.fromkeys([*named, *(test for test in marked if test.startswith(WHOLE_WAYS))]))
        if not proofs:
            problems.append(f"{name} ({requirement['control']}) has no test")
        elif not whole:
            problems.append(f"{name} ({requirement['control']}) has no test that goes the whole way")
        problems += [f"{name} names the unknown hazard {h}" for h in requirement["hazards"] if h not in hazards]
        if not requirement["hazards"]:
            problems.append(f"{name} answers no hazard")
        ran = [passed[proof] for proof in proofs if proof in passed]
        result = next((state for state in ("FAILED", "skipped", "passed") if state in ran), "not run")
        if 0 < len(ran) < len(proofs) and result == "passed":
            result = f"passed ({len(ran)} of {len(proofs)} run)"
        if passed and result == "FAILED":
            problems.append(f"{name} fails: {', '.join(p for p in proofs if passed.get(p) == 'FAILED')}")
        table.append(
            (name, ", ".join(requirement["hazards"]), requirement["control"], requirement["text"],
             "<br>".join(f"`{proof}`" for proof in proofs),
             "<br>".join(f"`{test.partition('::')[2]}`" for test in whole) or RED, result)
        )  # fmt: skip
    answered = {hazard for requirement in requirements for hazard in requirement["hazards"]}
    problems += [f"{hazard} is answered by no requirement" for hazard in hazards if hazard not in answered]
    for hazard in hazards.values():
        missing = {"hazard", "sequence", "harm", "severity", "before", "after", "residual"} - set(hazard)
        problems += [f"{hazard['id']} lacks {field}" for field in sorted(missing)]
        if not missing and hazard["after"] > hazard["before"]:
            problems.append(f"{hazard['id']} is more probable after its controls than before")
    return table, problems


def page(table: list[tuple[str, ...]]) -> str:
    """Return the table as Markdown."""
    hazards = tomllib.loads((FOLDER / "hazards.toml").read_text("utf-8"))["hazard"]
    lines = [
        "# Traceability",
        "",
        "Made by `tools/traceability.py` from `requirements.toml`, `hazards.toml` and the tests; do not edit.",
        "",
        "| hazard | what | how | harm | severity | probability before, after | controls | what is left |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for hazard in hazards:
        controls = ", ".join(row[0] for row in table if hazard["id"] in row[1].split(", "))
        numbers = f"{hazard['severity']} | {hazard['before']}, {hazard['after']}"
        what = f"{hazard['hazard']} | {hazard['sequence']} | {hazard['harm']}"
        lines.append(f"| {hazard['id']} | {what} | {numbers} | {controls} | {hazard['residual']} |")
    without = [row[0] for row in table if row[5] == RED]
    lines += ["", f"Without a test that goes the whole way: {len(without)} of {len(table)} requirements (red).", ""]
    lines += ["| requirement | hazard | control | text | test | end to end | result |", "|---|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, help="JUnit file of a test run")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where something is missing")
    arguments = parser.parse_args()
    table, problems = rows(arguments.results)
    if arguments.check:
        written = TABLE.read_text("utf-8") if TABLE.is_file() else ""
        without_result = [line.rsplit("|", 2)[0] for line in written.splitlines() if line.startswith("| SAF-")]
        if without_result != [line.rsplit("|", 2)[0] for line in page(table).splitlines() if line.startswith("| SAF-")]:
            problems.append("traceability.md is not up to date: run tools/traceability.py")
    else:
        TABLE.write_text(page(table), "utf-8")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(table)} requirements, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
