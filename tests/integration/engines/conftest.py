"""A real Slurm on this machine, installed and started by the tests."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from robustseg import hardware

PACKAGES = ["slurm-wlm", "munge", "slurmctld", "slurmd", "slurm-client"]


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A cluster of one node, for the length of the session; gives its folder of logs."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a Slurm")
    if shutil.which("slurmctld") is None:
        if shutil.which("apt-get") is None:
            pytest.skip(f"no Slurm; install {' '.join(PACKAGES)}")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        install = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends"]
        subprocess.run([*install, *PACKAGES], check=True)
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    template = Path(__file__).with_name("slurm.conf").read_text()
    settings = {"host": socket.gethostname(), "processors": hardware.processors()}
    configuration = folder / "slurm.conf"
    configuration.write_text(template.format(folder=folder, **settings))
    os.environ["SLURM_CONF"] = str(configuration)
    munge_was_there = subprocess.run(["pgrep", "-x", "munged"], stdout=subprocess.DEVNULL)
    if munge_was_there.returncode:
        Path("/run/munge").mkdir(exist_ok=True)
        shutil.chown("/run/munge", "munge", "munge")
        _start("runuser", "-u", "munge", "--", "munged")
    _start("slurmctld", "-f", str(configuration))
    _start("slurmd", "-f", str(configuration))
    _wait_for_the_node()
    yield folder
    for daemon in ("slurmd", "slurmctld"):
        os.kill(int((folder / f"{daemon}.pid").read_text()), signal.SIGTERM)
    if munge_was_there.returncode:
        subprocess.run(["pkill", "-x", "munged"], check=True)
    del os.environ["SLURM_CONF"]


def _start(*command):
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, **quiet)


def _wait_for_the_node():
    deadline = time.monotonic() + 30
    state = ""
    while time.monotonic() < deadline:
        answer = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True)
        state = answer.stdout.strip() or answer.stderr
        if state == "idle":
            return
        time.sleep(0.2)
    raise AssertionError(f"the node is {state}")
