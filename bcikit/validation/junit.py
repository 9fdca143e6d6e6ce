"""JUnit XML: a run of the bench for a CI server."""

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from bcikit.validation.results import Judgement

if TYPE_CHECKING:
    from bcikit.validation.run import Report


_ERRORS = (Judgement.INCONCLUSIVE, Judgement.UNEXPLAINED, Judgement.ERROR)


def junit(report: "Report") -> str:
    """Return the report as JUnit XML: a case a test; what does not apply is skipped, inconclusive is an error."""
    outcomes = report.outcomes
    count = {item: sum(outcome.judgement is item for outcome in outcomes) for item in Judgement}
    suite = Element(
        "testsuite",
        name=f"bcikit validate {report.source}",
        tests=str(len(outcomes)),
        failures=str(count[Judgement.FAIL]),
        errors=str(sum(count[item] for item in _ERRORS)),
        skipped=str(count[Judgement.NOT_APPLICABLE]),
        time=str(report.about.get("seconds", 0)),
        timestamp=str(report.about.get("begin", "")),
    )
    for outcome in outcomes:
        case = SubElement(suite, "testcase", classname="bcikit.validation", name=f"{outcome.test} {outcome.title}")
        lines = [
            f"{m.label}{f' ({m.channel})' if m.channel else ''}: {m.text()}"
            + (f", limit {m.limit.text()}: {m.judgement.value}" if m.limit else "")
            for m in outcome.measurements
        ]
        if outcome.judgement is Judgement.NOT_APPLICABLE:
            SubElement(case, "skipped", message=outcome.reason)
        elif outcome.judgement in (Judgement.FAIL, *_ERRORS):
            tag = "failure" if outcome.judgement is Judgement.FAIL else "error"
            SubElement(case, tag, message=outcome.reason or outcome.judgement.value).text = "\n".join(lines)
        if lines:
            SubElement(case, "system-out").text = "\n".join(lines)
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"
