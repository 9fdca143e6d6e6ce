"""Tests that need what one system has are skipped on the others, and say why."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
ONLY_POSIX = re.compile(
    r"signal\.SIG(KILL|STOP|CONT|HUP|USR1)|os\.(fork|mkfifo|openpty|getuid|geteuid|killpg|setsid)\("
)
TOP_LEVEL = re.compile(r"^(import|from) (resource|fcntl|pty|tty|termios|grp|pwd)\b", re.MULTILINE)
SAYS = re.compile(r"os\.name|sys\.platform|importorskip|hasattr\((os|signal), ")


def test_what_windows_lacks_is_asked_for_behind_a_condition() -> None:
    found = [
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("test_*.py")
        if path != Path(__file__)
        and ((ONLY_POSIX.search(text := path.read_text("utf-8")) and not SAYS.search(text)) or TOP_LEVEL.search(text))
    ]
    assert found == []
