"""The conformance suites of outputs and of the guard's drivers: what safety relies on, as tests."""

import json
import threading
import time
from abc import abstractmethod

from bcikit.outputs import Output
from bcikit.safety.guard.drivers import Driver, DriverError
from bcikit.signal import Command


class OutputConformance:
    """Base of a test class for an output: subclass it, name it ``Test...``, and say how to `open` it.

    Attributes
    ----------
    command : tuple
        Name and value of a command that it carries out.
    """

    command: tuple[str, float | str | None] = ("close", 1.0)

    @abstractmethod
    def open(self) -> Output:
        """Return the output, open."""

    def _command(self, sequence: int, *, ttl: float = 0.5) -> Command:
        name, value = self.command
        return Command(sequence=sequence, time=time.monotonic(), ttl=ttl, name=name, value=value)

    def test_it_begins_safe_and_says_so(self) -> None:
        """Nothing moves before the first command; the state is ready for JSON."""
        with self.open() as output:
            state = output.state()
            assert state["safe"] is True
            json.dumps(state, allow_nan=False)
            assert isinstance(output.scheme, str)
            assert isinstance(output.actuator, bool)

    def test_a_command_is_carried_out_and_safe_lets_go(self) -> None:
        """After `safe` it is safe, however often it is said."""
        with self.open() as output:
            output.send(self._command(1))
            assert output.state()["safe"] is False
            output.safe("test")
            output.safe("test")
            assert output.state()["safe"] is True

    def test_a_command_expires(self) -> None:
        """Silence is the safe state."""
        with self.open() as output:
            command = self._command(1, ttl=0.1)
            output.send(command)
            output.tick(command.time + 0.05)
            output.tick(command.time + 0.2)
            assert output.state()["safe"] is True

    def test_what_comes_out_of_order_is_dropped(self) -> None:
        """A late command must not undo a newer one."""
        with self.open() as output:
            output.send(self._command(2))
            output.safe("test")
            output.send(self._command(2))
            output.send(self._command(1))
            assert output.state()["safe"] is True

    def test_a_stop_may_come_from_another_thread(self) -> None:
        """A session that trains or waits is stopped by the thread in which somebody pressed."""
        with self.open() as output:
            output.send(self._command(1))
            presser = threading.Thread(target=output.stop, args=("key",))
            presser.start()
            presser.join(10.0)
            assert not presser.is_alive()
            assert output.state()["safe"] is True

    def test_news_move_nothing(self) -> None:
        """What only informs never acts."""
        with self.open() as output:
            for kind in ("decision", "verdict", "event", "state", "quality", "unheard of"):
                output.inform({"type": kind, "name": self.command[0], "value": self.command[1]})
            assert output.state()["safe"] is True

    def test_closing_twice_is_fine_and_safe(self) -> None:
        """Whatever cleans up may close again."""
        output = self.open()
        output.send(self._command(1))
        output.close()
        output.close()


class DriverConformance:
    """Base of a test class for a driver of the guard: subclass it, name it ``Test...``, and say how to `open` it.

    Attributes
    ----------
    command : tuple
        Name, value and data of a command that it carries out.
    """

    command: tuple[str, float | str | None, dict[str, float]] = ("close", 1.0, {})

    @abstractmethod
    def open(self) -> Driver:
        """Return the driver, open."""

    def test_it_rests_until_it_is_told_and_after_safe(self) -> None:
        """No motion and no current before a command, and none after `safe`."""
        driver = self.open()
        try:
            driver.tick(0.0)
            assert driver.state()["output"] == 0
            name, value, data = self.command
            driver.apply(name, value, data, 0.1)
            for step in range(2, 12):
                driver.tick(step / 10)
            assert driver.state()["output"] != 0, "the command did nothing"
            driver.safe()
            driver.safe()
            assert driver.state()["output"] == 0
            driver.tick(1.3)
            assert driver.state()["output"] == 0, "it went on after safe"
            json.dumps(driver.state(), allow_nan=False)
        finally:
            driver.close()

    def test_what_it_does_not_know_is_refused(self) -> None:
        """An unknown command, or a value that is no number, changes nothing."""
        driver = self.open()
        try:
            for name, value in (("no such command", 1.0), (self.command[0], float("nan"))):
                data = {key: float("nan") for key in self.command[2]} if name == self.command[0] else {}
                try:
                    driver.apply(name, value, data, 0.0)
                except DriverError:
                    continue
                raise AssertionError(f"{name!r} with {value!r} must raise DriverError")
            assert driver.state()["output"] == 0
        finally:
            driver.close()

    def test_closing_twice_is_fine(self) -> None:
        """Whatever cleans up may close again."""
        driver = self.open()
        driver.close()
        driver.close()
