"""What the doctor finds on a computer that is not in order."""

import datetime

import pytest

from bcikit.cli import checkup


@pytest.mark.parametrize(("year", "good"), [(1970, False), (2025, False), (2026, True), (2055, True), (2056, False)])
def test_a_date_that_cannot_be_is_a_fault(monkeypatch: pytest.MonkeyPatch, year: int, good: bool) -> None:
    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime(year, 6, 1, 12, 30, tzinfo=tz)

    monkeypatch.setattr(checkup.datetime, "datetime", Clock)
    found = checkup.CHECKS["clock"]("clock")
    if good:
        assert found.state != checkup.FAILED
        assert "resolution" in found.found
    else:
        assert found.state == checkup.FAILED
        assert f"it is {year}-06-01 12:30 here" in found.found
        assert "timedatectl" in found.fix


def test_who_has_no_home_is_told_by_the_check_of_write_access(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(kind: str) -> None:
        raise checkup.NoHomeError("This user has no home folder: set HOME")

    monkeypatch.setattr(checkup, "user_place", none)
    found = checkup.CHECKS["write access"]("write access")
    assert found.state == checkup.FAILED
    assert "set HOME" in found.found
