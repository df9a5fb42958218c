"""Ties a command's life to its owner: it gets a signal when the process that started it ends,
however that one ends, `kill -9` included.

Imported, it builds the command line; run as a script, it ties itself to its owner and then becomes
the command (the process keeps its id), so that there is nobody in between to be killed:

    python -I -S tether.py OWNER_PID SIGNAL_NUMBER COMMAND [ARGUMENT...]
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence

# Isolated and without site-packages: it starts in 10 ms and takes no module of the user's folders.
SCRIPT_PYTHON = (sys.executable, "-I", "-S")


def tethered(command: Sequence[str], death_signal: signal.Signals) -> list[str]:
    """The command line that runs `command` and sends it `death_signal` when this process ends.

    Raises:
        RuntimeError: Not called in the main thread. Linux ties a child to the *thread* that forked
            it, and only the main thread surely lives as long as the process.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start tethered commands in the main thread")
    return [*SCRIPT_PYTHON, __file__, str(os.getpid()), str(int(death_signal)), *command]


if sys.platform == "linux":

    def _die_with(_owner: int, death_signal: int) -> None:
        import ctypes  # noqa: PLC0415 - only the script needs it

        set_parent_death_signal = 1
        if ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, death_signal, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "cannot set the parent-death signal")

else:

    def _die_with(owner: int, death_signal: int) -> None:
        command = os.getpid()
        if os.fork() == 0:
            _watch(owner, command, death_signal)
            os._exit(0)

    def _watch(owner: int, command: int, death_signal: int) -> None:
        """Wait until either ends. One that is gone already is reported like one that ends."""
        import select  # noqa: PLC0415 - only the script needs it

        exits = [
            select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            for pid in (owner, command)
        ]
        if select.kqueue().control(exits, 1)[0].ident == owner:
            os.kill(command, death_signal)


def _main(owner: int, death_signal: int, command: list[str]) -> None:
    _die_with(owner, death_signal)
    if os.getppid() != owner:  # it ended before it could be watched
        sys.exit(1)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would hand that on
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming the command is the purpose
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
