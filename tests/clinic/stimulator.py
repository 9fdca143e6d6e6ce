"""A stimulator in a process of its own: ``python stimulator.py``; prints its port, then each change of its current."""

import sys
import threading
import time

from bcikit.safety.guard.serial_fes import SimulatedStimulator


def main() -> None:
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    device = SimulatedStimulator()
    print(device.port, flush=True)
    last = 0.0
    while not over.wait(0.005):
        now = device.current_ma
        if now != last:
            print(f"{time.monotonic():.4f} {now:g}", flush=True)
        last = now
    device.close()


if __name__ == "__main__":
    main()
