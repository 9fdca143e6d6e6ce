"""`report.html`: one file that can be mailed, printed and kept."""

from typing import TYPE_CHECKING

from bcikit.reporting import render as render_page
from bcikit.validation.catalogue import TESTS
from bcikit.validation.clauses import clauses
from bcikit.validation.figures import figures
from bcikit.validation.results import Judgement, decisive

if TYPE_CHECKING:
    from bcikit.validation.run import Report

_HEADLINE = {
    Judgement.PASS: "All limits are kept",
    Judgement.FAIL: "At least one limit is broken",
    Judgement.INCONCLUSIVE: "At least one test is inconclusive",
    Judgement.ERROR: "At least one test failed itself",
    Judgement.UNEXPLAINED: "Something was found that nothing explains",
    Judgement.REPORT: "Measured; the profile sets no limit on it",
    Judgement.NOT_APPLICABLE: "No test applies",
}


def render(report: "Report") -> str:
    """Return the report as one HTML page with its figures inside."""
    from dataclasses import asdict

    tests = {test.test: test for test in TESTS}
    items = []
    for outcome in report.outcomes:
        limited = [m for m in outcome.measurements if m.limit is not None]
        # Many channels may be judged alike: the table of requirements shows those that decide.
        judged = limited or [m for m in outcome.measurements if m.judgement is Judgement.UNEXPLAINED]
        key = [m for m in decisive(judged) if m.judgement is outcome.judgement] or list(outcome.measurements[:1])
        items.append({"o": outcome, "t": tests[outcome.test], "key": key, "figures": figures(outcome)})
    names = [(item, sum(o.judgement is item for o in report.outcomes)) for item in Judgement]
    return render_page(
        "bcikit.validation",
        "validation.html",
        report=report,
        items=items,
        answers=clauses(report.profile, report.outcomes),
        headline=_HEADLINE[report.judgement],
        counts=[(item.value, count) for item, count in names if count],
        instruments=sorted(asdict(report.profile.instruments).items()),
        css=lambda judgement: judgement.value.split()[0],
    )
