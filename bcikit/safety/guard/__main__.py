"""`python -m bcikit.safety.guard --driver sim-hand`: the key comes on the first line of standard input, in hex."""

import argparse
import os
import sys

from bcikit.safety.guard.drivers import DriverError, open_driver
from bcikit.safety.guard.endings import Endings
from bcikit.safety.guard.log import LogError, open_log
from bcikit.safety.guard.priority import first_in_line
from bcikit.safety.guard.server import serve


def main() -> int:
    """Run the guard and return its exit code."""
    parser = argparse.ArgumentParser(prog="bcikit.safety.guard", description=__doc__)
    parser.add_argument("--driver", required=True, help="sim-hand, sim-fes, or serial-fes:PORT")
    parser.add_argument("--dead-man", action="store_true", help="output only while a dead-man switch is held")
    parser.add_argument("--log", default=None, help="file for one JSON line a trip")
    arguments = parser.parse_args()
    # Unbuffered: what follows the key is the lifeline and must not vanish into a buffer.
    line = b""
    while not line.endswith(b"\n") and len(line) < 200:
        byte = os.read(sys.stdin.fileno(), 1)
        if not byte:
            break
        line += byte
    try:
        key = bytes.fromhex(line.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) < 16:
        sys.stderr.write("the guard needs a key of at least 16 bytes, in hex, on standard input\n")
        return 2
    endings = Endings()
    try:
        log = None if arguments.log is None else open_log(arguments.log)
        driver = open_driver(arguments.driver)
    except (DriverError, LogError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return serve(driver, key, dead_man=arguments.dead_man, log=log, endings=endings, priority=first_in_line())


if __name__ == "__main__":
    sys.exit(main())
