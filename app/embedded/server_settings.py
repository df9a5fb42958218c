"""How the embedded PostgreSQL is set: durable, private, and sized for a small machine.

Given on the command line, where they outrank the cluster's configuration files; so a cluster that
somebody has edited still runs as Tidings relies on.
"""

from collections.abc import Mapping

from app.embedded.record import PORT

FIXED = {
    # An acknowledged event is on disk.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # Reached through the socket alone.
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    # The same in every place.
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Room for the API's workers, the projectors and a few guests.
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    # A client that stalled or vanished in the middle of an append is noticed.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60s",
    # A replica may join later.
    "wal_level": "replica",
    "max_wal_senders": "10",
    # The log tells of trouble, stays small, and has no customer's data in it.
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",
}


def options(socket_dir: str, cluster_name: str, others: Mapping[str, str]) -> list[str]:
    """Command-line options of `postgres`; `others` come last and win."""
    named = {"unix_socket_directories": socket_dir, "cluster_name": cluster_name}
    every = {**FIXED, **named, **others}
    return [part for name, value in every.items() for part in ("-c", f"{name}={value}")]
