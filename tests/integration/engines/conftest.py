"""A real Slurm on this machine, installed and started by the tests."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from robustseg.configuration import hardware

PACKAGES = ["slurm-wlm", "munge", "slurmctld", "slurmd", "slurm-client"]
HOSTS = ("alpha", "beta")
MUNGE = Path("/run/munge/munged.pid")


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A cluster of two nodes, each with a host name of its own, for the length of the session."""
    _install()
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", *HOSTS):
        (folder / name).mkdir()
    settings = {
        "folder": folder,
        "controller": socket.gethostname(),
        "ports": free_ports(3),
        "processors": hardware.processors(),
    }
    configuration = folder / "slurm.conf"
    template = Path(__file__).with_name("slurm.conf").read_text()
    configuration.write_text(template.format(**settings))
    daemons = [folder / f"{name}.pid" for name in ("slurmctld", *HOSTS)]
    if not _runs(MUNGE):
        MUNGE.parent.mkdir(exist_ok=True)
        shutil.chown(MUNGE.parent, "munge", "munge")
        _start("runuser", "-u", "munge", "--", "munged")
        daemons.append(MUNGE)
    os.environ["SLURM_CONF"] = str(configuration)
    _start("slurmctld", "-f", str(configuration))
    for host in HOSTS:
        start_node(host)
    wait_until("both nodes are idle", both_idle)
    yield folder
    subprocess.run(["scancel", "--user=root"], check=True)
    wait_until("no job is left", lambda: not _answer("squeue", "-h"))
    for daemon in daemons:
        os.kill(int(daemon.read_text()), signal.SIGTERM)
    del os.environ["SLURM_CONF"]


def start_node(host):
    """Start a node's daemon, in a namespace where the machine has the node's name."""
    daemon = f"hostname {host}; exec slurmd -f $SLURM_CONF"
    _start("unshare", "--uts", "sh", "-c", daemon)


def wait_until(what, condition, timeout=240):
    """Wait for a condition; it is an error if it does not come true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.1)


def free_ports(number):
    """Ports that nothing listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _install():
    if os.geteuid() != 0:
        pytest.skip("only root can start a Slurm")
    if shutil.which("slurmctld") is None:
        if shutil.which("apt-get") is None:
            pytest.skip(f"no Slurm; install {' '.join(PACKAGES)}")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        install = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends"]
        subprocess.run([*install, *PACKAGES], check=True)


def _start(*command):
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, **quiet)


def _runs(pid_file):
    return pid_file.exists() and Path(f"/proc/{pid_file.read_text().strip()}").exists()


def both_idle():
    """Whether both nodes are there and have nothing to do."""
    return _answer("sinfo", "-h", "-N", "-o", "%t").split() == ["idle", "idle"]


def _answer(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout
