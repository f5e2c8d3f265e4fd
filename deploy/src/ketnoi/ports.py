"""Loopback ports: picking free ones, and saying who holds one that is not."""

import errno
import random
import socket

from ketnoi.errors import LauncherError, UsageError

# Below the range from which the kernel takes ports for outgoing connections, so that none of
# those takes a picked port before its server has bound it.
_FIRST, _LAST = 20_000, 32_000


def free_port(host: str = "127.0.0.1") -> int:
    """Pick a port that nobody listens on; at random, so that parallel starts differ."""
    for port in random.sample(range(_FIRST, _LAST), 200):
        if _can_bind(host, port):
            return port
    raise LauncherError(f"No free port between {_FIRST} and {_LAST} on {host}.")


def _can_bind(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free(host: str, port: int) -> None:
    """Fail with the name of the process that holds the gateway's port, where the system tells."""
    family, _, _, _, address = _resolve(host, port)
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            raise _explanation(host, port, error) from error


def reachable_host(host: str) -> str:
    """Return where to reach a server that listens on `host`, which may mean «everywhere»."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (not a bind)


def _resolve(
    host: str, port: int
) -> tuple[socket.AddressFamily, int, int, str, tuple[object, ...]]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UsageError(f"KETNOI_HOST={host!r} is not an address of this machine.") from error


def _explanation(host: str, port: int, error: OSError) -> LauncherError:
    if error.errno == errno.EADDRINUSE:
        return LauncherError(
            f"Port {port} is in use by {_holder(port)}."
            " Stop that, or set KETNOI_PORT to another port."
        )
    if error.errno == errno.EACCES:
        return UsageError(
            f"Port {port} may only be used by root. Set KETNOI_PORT to 1024 or higher."
        )
    return UsageError(f"Cannot listen on {host}:{port}: {error.strerror}. Check KETNOI_HOST.")


def _holder(port: int) -> str:
    import psutil  # only failures need it

    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,):
                if connection.pid is None:
                    break
                return f"process {connection.pid} ({_command(connection.pid)})"
    except psutil.Error:
        pass
    return "another process (whose name only its owner or root can see)"


def _command(pid: int) -> str:
    import psutil

    process = psutil.Process(pid)
    return " ".join(process.cmdline())[:80] or process.name()
