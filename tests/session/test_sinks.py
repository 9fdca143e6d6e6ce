"""What the outputs of a session are told, read from the network."""

import json
import select
import socket
import threading
import uuid
from collections import Counter

import pytest

from bcikit.session import Engine, Listener, plan
from bcikit.session.config import OutputSection
from bcikit.signal.messages import Raw
from tests.stalls import wait_for


@pytest.mark.slow
def test_outputs_are_told_events_decisions_states_and_the_quality_of_every_second(short_config):
    said = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        line.settimeout(60)

        class Paced(Listener):
            """Goes on when all was read: a socket whose reader has no turn loses what does not fit."""

            def take(self, message):
                if isinstance(message, Raw):
                    wait_for(lambda: not select.select([line], [], [], 0)[0])

        def listen():
            while not said or said[-1]["data"].get("reason") != "closed":
                said.append(json.loads(line.recv(65536)))

        thread = threading.Thread(target=listen)
        thread.start()
        outputs = [OutputSection(address=f"udp:127.0.0.1:{line.getsockname()[1]}")]
        Engine(short_config("", outputs=outputs), listeners=[Paced()]).run()
        thread.join(60)
    kinds = Counter(message["name"] for message in said if message["type"] == "inform")
    assert min(kinds["event"], kinds["state"], kinds["decision"]) > 0
    assert kinds["decision"] == kinds["verdict"]
    first, last = (said[index]["t_mono"] for index in (0, -1))
    assert kinds["quality"] >= 0.9 * (last - first)
    quality = [message for message in said if message["name"] == "quality"]
    order = ["GOOD", "WARN", "BAD"]
    for message in quality:
        levels = message["data"]["channels"]
        assert message["quality"] == max(levels.values(), key=order.index)
        assert "C3" in levels
    # Every command repeats what was known when it was given.
    moves = [message for message in said if message["type"] == "command"]
    assert moves
    assert all(message["quality"] in order and message["state"] == "ACTIVE" for message in moves)


@pytest.mark.slow
def test_an_output_that_others_can_read_is_said_before_in_and_after_the_session(short_config, tmp_path):
    address = f"lsl:reach-{uuid.uuid4().hex[:6]}"
    config = short_config("reach", outputs=[OutputSection(address=address)])
    made = plan(config)
    try:
        said = [value for name, value in made.lines() if name == "network"]
    finally:
        made.close()
    assert said == [f"{address}: every computer on this network can read it (LSL has no key)"]
    result = Engine(config).run()
    assert "every computer" in result.values["outputs"][0]["reach"]
    audit = [json.loads(line) for line in (result.folder / "audit.jsonl").read_text("utf-8").splitlines()]
    assert [line["action"] for line in audit if line["event"] == "network"] == [address]
    assert "every computer on this network can read it" in (result.folder / "report.html").read_text("utf-8")
