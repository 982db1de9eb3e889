"""The time limit, in processes of their own: pytest needs its alarm clock itself."""

import subprocess
import sys
import time

import pytest

from robustseg.sweeps import limit

RINGS = {
    "it interrupts what is going on": """
try:
    limit.arm(0.001)
    time.sleep(3600)
except KeyboardInterrupt:
    print(limit.is_over())
""",
    "the clock starts with the program": """
limit._clock.began -= 60
try:
    limit.arm(1)
    time.sleep(3600)
except limit.TimeIsUp:
    print(limit.is_over())
""",
    "disarmed it is silent": """
limit.arm(0.01)
limit.disarm()
time.sleep(1)
print(not limit.is_over())
""",
    "without a limit nothing happens": """
limit.arm(None)
time.sleep(0.2)
interrupts.stop_if_lost()
print(limit.ends() is None and not limit.is_over())
""",
    "an interrupt that a destructor lost is made up for": """
class Slow:
    def __del__(self):
        time.sleep(3600)

try:
    limit.arm(0.001)
    Slow()
    interrupts.stop_if_lost()
except limit.TimeIsUp:
    print(True)
""",
}


@pytest.mark.parametrize("program", RINGS.values(), ids=RINGS)
def test_the_limit(program):
    program = f"import time\nfrom robustseg.sweeps import interrupts, limit\n{program}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_other_processes_know_whether_the_end_is_near(monkeypatch):
    monkeypatch.setattr(limit, "_clock", limit._Clock(time.monotonic()))
    assert not limit.is_within(1e9)
    limit.expect(time.time() + 1000)
    assert limit.is_within(2000)
    assert not limit.is_within(500)
    limit.expect(time.time() - 1)
    assert limit.is_within(0)
