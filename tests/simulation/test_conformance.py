"""Every simulated source keeps the contract of a source."""

from bcikit.acquisition import open_source
from bcikit.testing import SourceConformance


class TestUser(SourceConformance):
    def open(self):
        return open_source("sim:motor-imagery?seed=1")


class TestUserWithSchedule(SourceConformance):
    def open(self):
        return open_source("sim:ssvep?seed=1&schedule=1&incidents=sight@0.3~0.1")


class TestLiveUser(SourceConformance):
    seconds = 0.5

    def open(self):
        return open_source("sim:rest?seed=1&live=1")


class TestDevice(SourceConformance):
    def open(self):
        return open_source("dut:loss=0.05&chunk=50")


class TestFaultInjector(SourceConformance):
    def open(self):
        return open_source("dut:faults?do=drop@0.2~0.05,nan@0.4~0.1&source=sim:rest?seed=1")
