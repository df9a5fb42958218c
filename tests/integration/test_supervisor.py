"""The supervisor, in a process of its own that tests can signal and kill."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.embedded_owner import eventually

# A child writes its name and process id when it starts, and its name again when it is asked to end.
CHILD = """
import os, pathlib, signal, sys, time
name, folder, stubborn = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
def tell(what):
    with open(folder / "log", "a") as log:
        print(what, file=log)
def end(*_):
    tell(f"{name} ends")
    if not stubborn:
        sys.exit()
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, lambda *_: tell(f"{name} interrupted"))
(folder / "pids").mkdir(exist_ok=True)
(folder / "pids" / f"{name}-{os.getpid()}").touch()
tell(f"{name} starts")
while True:
    time.sleep(0.05)
"""

SUPERVISOR = """
import asyncio, pathlib, sys
from app.supervisor import ChildSpec, ChildFailed, Supervisor
FOLDER = pathlib.Path(sys.argv[1])
CHILD = sys.argv[2]
def child(name, *more, **spec):
    argv = (sys.executable, "-c", CHILD, name, str(FOLDER), *more)
    return ChildSpec(name=name, argv=argv, **spec)
def started(name):
    return lambda: f"{name} starts" in (FOLDER / "log").read_text().splitlines()
async def all_started():
    print("all started", flush=True)
def run(*tiers, **options):
    try:
        supervisor = Supervisor(tiers, **options)
        sys.exit(asyncio.run(supervisor.run(all_started)))
    except ChildFailed as error:
        sys.exit(f"failed: {error}")
"""


@contextmanager
def supervising(folder: Path, code: str) -> Iterator["subprocess.Popen[str]"]:
    """A supervisor that runs the code's children, with its output in `folder`."""
    command = [sys.executable, "-c", SUPERVISOR + textwrap.dedent(code), str(folder), CHILD]
    (folder / "log").touch()
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, text=True)
        with process:
            try:
                yield process
            finally:
                process.kill()
    assert eventually(lambda: not living(folder)), "children are left"


def told(folder: Path) -> list[str]:
    return (folder / "log").read_text().splitlines()


def output(folder: Path) -> str:
    return (folder / "output").read_text()


def all_started(folder: Path) -> bool:
    return eventually(lambda: "all started" in output(folder))


def pids(folder: Path, name: str = "") -> list[int]:
    return [int(path.name.split("-")[1]) for path in (folder / "pids").glob(f"{name}*-*")]


def living(folder: Path, name: str = "") -> list[int]:
    return [pid for pid in pids(folder, name) if answers(pid)]


def answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def kill_only(folder: Path, name: str) -> None:
    (pid,) = living(folder, name)
    os.kill(pid, signal.SIGKILL)


THREE_TIERS = """
run(
    [child("database", is_ready=started("database"))],
    [child("projector", is_ready=started("projector"))],
    [child("api1", is_ready=started("api1")), child("api2", is_ready=started("api2"))],
)
"""


def test_children_start_in_order_and_stop_in_the_opposite_one(tmp_path: Path) -> None:
    with supervising(tmp_path, THREE_TIERS) as supervisor:
        assert all_started(tmp_path)
        supervisor.terminate()
        assert supervisor.wait() == 0
    events = told(tmp_path)
    assert events[:2] == ["database starts", "projector starts"]
    assert sorted(events[2:4]) == ["api1 starts", "api2 starts"]
    assert sorted(events[4:6]) == ["api1 ends", "api2 ends"]
    assert events[6:] == ["projector ends", "database ends"]


def test_ctrl_c_drains_like_sigterm_and_reaches_the_supervisor_alone(tmp_path: Path) -> None:
    with supervising(tmp_path, THREE_TIERS) as supervisor:
        assert all_started(tmp_path)
        assert {os.getsid(pid) for pid in pids(tmp_path)} == set(pids(tmp_path))
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait() == 0
    assert not [event for event in told(tmp_path) if "interrupted" in event]
    assert told(tmp_path)[-1] == "database ends"


def test_a_child_that_dies_is_started_again_and_the_others_stay(tmp_path: Path) -> None:
    with supervising(tmp_path, THREE_TIERS) as supervisor:
        assert all_started(tmp_path)
        for times in (2, 3, 4):
            kill_only(tmp_path, "projector")
            assert eventually(lambda: told(tmp_path).count("projector starts") == times)  # noqa: B023 - called at once
        assert told(tmp_path).count("database starts") == 1
        supervisor.terminate()
        assert supervisor.wait() == 0
    deaths = [line for line in output(tmp_path).splitlines() if "SIGKILL" in line]
    assert len(deaths) == 3
    assert "restart_in_seconds=0.0" in deaths[0]
    assert "restart_in_seconds=0.0" not in deaths[1]


def test_killing_the_supervisor_leaves_no_children(tmp_path: Path) -> None:
    with supervising(tmp_path, THREE_TIERS) as supervisor:
        assert all_started(tmp_path)
        assert len(living(tmp_path)) == 4
        supervisor.kill()
        supervisor.wait()
        assert eventually(lambda: not living(tmp_path))
    assert not [event for event in told(tmp_path) if "ends" in event]


def test_a_child_that_will_not_end_is_killed_and_the_exit_status_tells(tmp_path: Path) -> None:
    code = """run([child("database")], [child("stubborn", "stubborn")], drain_seconds=4)"""
    with supervising(tmp_path, code) as supervisor:
        assert eventually(lambda: len(told(tmp_path)) == 2)
        supervisor.terminate()
        assert supervisor.wait() == 1
    assert told(tmp_path)[2:] == ["stubborn ends", "database ends"]


def test_a_second_signal_kills_at_once(tmp_path: Path) -> None:
    code = """run([child("stubborn", "stubborn")], drain_seconds=1e9)"""
    with supervising(tmp_path, code) as supervisor:
        assert eventually(lambda: "stubborn starts" in told(tmp_path))
        supervisor.terminate()
        assert eventually(lambda: "stubborn ends" in told(tmp_path))
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait() == 1


def test_a_signal_while_starting_stops_what_has_started(tmp_path: Path) -> None:
    code = """
    database = child("database", is_ready=started("database"))
    run([database], [child("never", is_ready=lambda: False)], [child("api")])
    """
    with supervising(tmp_path, code) as supervisor:
        assert eventually(lambda: "never starts" in told(tmp_path))
        supervisor.terminate()
        assert supervisor.wait() == 0
    assert told(tmp_path)[-1] == "database ends"
    assert "api starts" not in told(tmp_path)
    assert "all started" not in output(tmp_path)


def test_a_child_that_never_gets_ready_fails_the_start_and_stops_the_others(tmp_path: Path) -> None:
    code = """
    broken = ChildSpec(name="broken", argv=("false",), is_ready=lambda: False)
    run([child("database", is_ready=started("database"))], [broken])
    """
    with supervising(tmp_path, code) as supervisor:
        assert supervisor.wait() == 1
    assert "failed: broken ended 5 times before it was ready (exit status 1)" in output(tmp_path)
    assert told(tmp_path) == ["database starts", "database ends"]


def test_an_error_in_telling_whether_a_child_is_ready_fails_the_start(tmp_path: Path) -> None:
    code = """
    def migrate():
        raise ChildFailed("no such table")
    run([child("database", is_ready=migrate)])
    """
    with supervising(tmp_path, code) as supervisor:
        assert supervisor.wait() == 1
    assert "failed: no such table" in output(tmp_path)


def test_what_must_be_done_before_a_start_is_done_before_each(tmp_path: Path) -> None:
    code = """
    def tidy():
        with open(FOLDER / "log", "a") as log:
            print("tidied", file=log)
    run([child("database", before_start=tidy)])
    """
    with supervising(tmp_path, code):
        assert eventually(lambda: len(told(tmp_path)) == 2)
        kill_only(tmp_path, "database")
        assert eventually(lambda: len(told(tmp_path)) == 4)
        assert told(tmp_path) == ["tidied", "database starts"] * 2


def test_a_child_gets_its_environment_its_descriptors_and_its_output(tmp_path: Path) -> None:
    code = """
    import os
    readable, writable = os.pipe()
    print_both = f"import os; os.write({writable}, os.environ['WORD'].encode()); print('said')"
    argv = (sys.executable, "-c", print_both + "; import time; time.sleep(1e6)")
    env = {**os.environ, "WORD": "passed", "PYTHONUNBUFFERED": "1"}
    spec = ChildSpec(name="child", argv=argv, env=env, pass_fds=[writable], output=FOLDER / "said",
                     is_ready=lambda: os.read(readable, 6) == b"passed")
    run([spec])
    """
    with supervising(tmp_path, code) as supervisor:
        assert all_started(tmp_path)
        assert eventually(lambda: (tmp_path / "said").read_text() == "said\n")
        supervisor.terminate()
        assert supervisor.wait() == 0


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    code = """run([ChildSpec(name="x", argv=("no-such-command",), is_ready=lambda: False)])"""
    with supervising(tmp_path, code) as supervisor:
        assert supervisor.wait() == 1
    assert "cannot run no-such-command: No such file or directory" in output(tmp_path)


@pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGINT])
def test_signals_that_were_to_be_ignored_stay_ignored(
    tmp_path: Path, ignored: signal.Signals
) -> None:
    code = f"""
    import signal
    signal.signal({ignored}, signal.SIG_IGN)
    run([child("database")])
    """
    with supervising(tmp_path, code) as supervisor:
        assert eventually(lambda: told(tmp_path))
        supervisor.send_signal(ignored)
        kill_only(tmp_path, "database")
        assert eventually(lambda: told(tmp_path) == ["database starts"] * 2)
        supervisor.terminate()
        assert supervisor.wait() == 0
