"""``python -m bcikit.clinic.engine_process JOB``: one session, without a window, findable by its handshake."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from bcikit.safety.arming import ArmRequest
from bcikit.safety.consent import Consent, Screening
from bcikit.session.config import config_from
from bcikit.session.engine import Engine
from bcikit.signal import BciError
from bcikit.signal.disk import write_whole
from bcikit.signal.documents import read_json
from bcikit.signal.processes import process_mark


def main(job: Path) -> int:
    """Run the job and return the exit code; what goes wrong is written beside the handshake."""
    values: dict[str, Any] = read_json(job)
    job.unlink()
    handshake = Path(values["handshake"])
    try:
        _run(values, handshake)
    except BciError as error:
        handshake.with_suffix(".error").write_text(str(error), encoding="utf-8")
        return error.exit_code
    except Exception as error:
        handshake.with_suffix(".error").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        raise
    return 0


def _run(values: dict[str, Any], handshake: Path) -> None:
    config = config_from(values["config"], where="clinic")
    consent = Consent.model_validate(values["consent"]) if values["consent"] else None
    screening = Screening.model_validate(values["screening"]) if values["screening"] else None

    operator = values["operator"]
    idle = values["idle"]
    request = ArmRequest(
        operator=operator,
        subject=values["subject"],
        consent=consent,
        screening=screening,
        stop_tested=bool(values["stop_tested"]),
        idle_activations=int(idle["activations"]) if idle else None,
        idle_s=float(idle["seconds"]) if idle else 0.0,
    )
    engine = Engine(config, operator=operator, request=request)
    # Asked to end, it ends after the chunk that it is at, with its report.
    signal.signal(signal.SIGTERM, lambda *_: engine.end())
    lines = {
        "pid": os.getpid(),
        "mark": process_mark(os.getpid()),
        "control": engine.control.environment,
        "folder": config.recording.folder,
    }
    write_whole(handshake, json.dumps(lines).encode(), private=True)
    engine.run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
