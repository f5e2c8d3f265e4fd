"""What runs between the launcher and a server: drop rights, bind its life to ours, become it.

Started by file, isolated and without site packages (`python -I -S child.py`), so that it costs
little; a hook run after the fork would not be safe in a launcher that has threads.
"""

import ctypes
import json
import os
import stat
import sys

PR_SET_PDEATHSIG = 1
CANNOT_EXECUTE = 126


def die_with_parent(parent: int, signal: int) -> None:
    """Ask for `signal` when the parent dies, and stop now when it has already.

    A change of user clears the request, so it comes after that. Linux only; elsewhere no-op.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """Read one JSON argument and the command; never return."""
    how, command = json.loads(sys.argv[1]), sys.argv[2:]
    if how["cwd"]:
        os.chdir(how["cwd"])
    if how["account"]:
        uid, gid = how["account"]
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            os.fchown(0, uid, gid)  # so that it may open /dev/stdin
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    die_with_parent(how["parent"], how["signal"])
    try:
        os.execv(command[0], command)  # noqa: S606 (a fixed command of the launcher)
    except OSError as error:
        sys.stderr.write(f"cannot execute {command[0]}: {error.strerror}\n")
        os._exit(CANNOT_EXECUTE)


if __name__ == "__main__":
    main()
