"""The command line: its help, what it refuses, and whom it finds."""

import re
import subprocess
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import psycopg
import pytest

from app.bootstrap.projections import PROJECTION_NAMES
from app.cli import main
from app.embedded import EmbeddedPostgres, find_running
from tests.fixtures.old_postgres import old_postgres
from tests.fixtures.tidings_up import TidingsUp, environment, tidings

COMMANDS = (
    "up", "serve", "projector", "reactor", "courier", "migrate", "projections", "rebuild",
    "reactions", "timers", "messages", "import", "simulate",
)  # fmt: skip
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"


def run(
    *arguments: str, folder: Path, settings: Mapping[str, object] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the program to its end, on a data directory of its own unless the settings say where."""
    return subprocess.run(
        tidings(*arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env=environment(**({"data_dir": folder / "data"} | dict(settings or {}))),
    )


def check_one_line(done: "subprocess.CompletedProcess[str]", status: int, *said: str) -> None:
    """It failed with this status, saying this in one line."""
    assert done.returncode == status, done
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("tidings: ")
    for part in said:
        assert part in line
    assert not done.stdout


Inside = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Inside:
    """Runs the program in this process, where it starts at once; for what ends early."""

    def run_inside(*arguments: str, **settings: object) -> "subprocess.CompletedProcess[str]":
        monkeypatch.chdir(tmp_path)
        with monkeypatch.context() as patched:
            for name, value in environment(data_dir=tmp_path / "data", **settings).items():
                patched.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main(arguments)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), *said)

    return run_inside


def test_it_explains_itself_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    """The very program; the others of these tests run the same code in this process."""
    done = run("--help", folder=tmp_path)
    assert done.returncode == 0
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    assert not done.stderr
    check_one_line(run("up", "--prot", "1", folder=tmp_path), 2, "--prot")
    check_one_line(run("up", folder=tmp_path, settings={"PROT": 1}), 2, "TIDINGS_PROT")
    assert not list(tmp_path.iterdir())


def test_who_reads_no_further_is_not_told_of_it(tmp_path: Path) -> None:
    process = subprocess.Popen(
        tidings("rules"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None
    process.stdout.close()
    _, complaints = process.communicate(timeout=60)
    assert complaints == b""
    assert process.returncode == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(inside: Inside, command: str) -> None:
    for option in ("--help", "-h"):
        done = inside(command, option)
        assert done.returncode == 0
        assert command in done.stdout.partition("Usage:")[2].split()[:4]  # behind the program
        assert not done.stderr


def test_it_says_its_version(inside: Inside) -> None:
    done = inside("--version")
    assert done.returncode == 0
    assert version("tidings") in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["down"], "down"),
        (["up", "--prot", "1"], "--prot"),
        (["up", "again"], "again"),
        (["up", "--port", "high"], "--port: "),
        (["up", "--port", "65536"], "--port: "),
        (["up", "--workers", "0"], "--workers: "),
        (["up", "--shards", "65"], "--shards: "),
        (["up", "--schema", "pg_catalog"], "--schema: "),
        (["up", "--schema", "a;b"], "--schema: "),
        (["up", "--secret", "short"], "--secret: "),
        (["up", "--log-level", "loud"], "--log-level: "),
        (["serve", "--port"], "--port"),
        (["serve", "--data-dir", ""], "--data-dir: "),
        (["projector", "--poll-interval-ms", "0"], "--poll-interval-ms: "),
        (["projections", "nothing"], "nothing"),
        (["projections", "--prot"], "--prot"),
        (["projections", "parked"], "timeline, customers"),
        (["projections", "retry", "everything"], "everything"),
        (["projections", "skip", "timeline"], "KEY"),
        (["projections", "reshard", "timeline", "0"], "0"),
        (["projections", "--schema", "a;b", "parked", "timeline"], "--schema: "),
        (["reactor", "--poll-interval-ms", "0"], "--poll-interval-ms: "),
        (["reactions", "nothing"], "nothing"),
        (["reactions", "skip"], "KEY"),
        (["reactions", "--schema", "a;b", "parked"], "--schema: "),
        (["timers", "--limit", "0"], "--limit"),
        (
            ["rebuild"],
            "timeline, customers, activity_counts, visits, inbox, offers, cases, customer_offers, "
            "decisions, engagement, reaction_times, audit",
        ),
        (["rebuild", "everything"], "everything"),
        (["rebuild", "timeline", "--rollback", "--drop-old"], "--rollback goes without --drop-old"),
        (["rebuild", "timeline", "--jobs", "2", "--rollback"], "--rollback goes without --jobs"),
        (
            ["rebuild", "timeline", "--rollback", "--accept-differences"],
            "--rollback goes without --accept-differences",
        ),
        (["rebuild", "timeline", "--throttle", "0"], "--throttle"),
        (["rebuild", "timeline", "--throttle", "nan"], "--throttle"),
        (["simulate", "--events-per-s", "nan"], "--events-per-s"),
        (["simulate", "--duration", "nan"], "--duration"),
        (["simulate", "--days", "2"], "--days goes with --check"),
        (["simulate", "--check", "--events", "10"], "--events does not go with --check"),
        (["projections", "verify", "everything"], "everything"),
        (["projections", "verify", "--jobs", "0"], "--jobs"),
        (["import"], "FILE"),
        (["import", "nothing.csv"], ""),
        (["simulate", "--url", "nowhere"], ""),
    ],
    ids=str,
)
def test_a_bad_option_is_refused_in_one_line(
    inside: Inside, tmp_path: Path, arguments: list[str], said: str
) -> None:
    check_one_line(inside(*arguments), 2, said)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["up", "serve", "projector", "migrate", "projections"])
def test_a_setting_that_does_not_exist_or_fit_is_refused(
    inside: Inside, tmp_path: Path, command: str
) -> None:
    check_one_line(inside(command, prot=8000), 2, "TIDINGS_PROT")
    check_one_line(inside(command, workers="many"), 2, "TIDINGS_WORKERS: ")
    check_one_line(inside(command, accept_data_loss="perhaps"), 2, "TIDINGS_ACCEPT_DATA_LOSS: ")
    check_one_line(inside(command, database_url=""), 2, "TIDINGS_DATABASE_URL: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["up"],
        ["projector"],
        ["rebuild", "timeline"],
        ["projections", "retry", "timeline"],
        ["projections", "verify"],
        ["reactor"],
        ["reactions", "retry"],
    ],
    ids=" ".join,
)
def test_a_server_that_cannot_be_reached_is_named_in_one_line(
    tmp_path: Path, arguments: list[str]
) -> None:
    done = run(*arguments, folder=tmp_path, settings={"database_url": UNREACHABLE})
    check_one_line(done, 1, "127.0.0.1")


@pytest.mark.parametrize("command", ["up", "migrate"])
def test_a_server_that_is_too_old_is_refused_in_one_line(tmp_path: Path, command: str) -> None:
    with old_postgres("14.13") as url:
        done = run(command, folder=tmp_path, settings={"database_url": url})
    check_one_line(done, 1, "PostgreSQL 15 or newer is needed", "14.13")


def test_a_server_that_could_lose_events_is_refused_in_one_line(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "unsafe", settings={"fsync": "off"}) as postgres:
        for arguments in (["up", "--port", "0"], ["projector"]):
            done = run(*arguments, folder=tmp_path, settings={"database_url": postgres.dsn})
            check_one_line(done, 1, "fsync off", "TIDINGS_ACCEPT_DATA_LOSS")
        with psycopg.connect(postgres.dsn) as connection:
            found = connection.execute("SELECT to_regnamespace('tidings')").fetchone()
        assert found == (None,)


@pytest.mark.parametrize(
    ("url", "status"), [("mysql://a:pass@b/c", 2), ("nonsense", 2), ("postgresql://a@b:port/c", 1)]
)
def test_an_address_that_is_none_is_refused_in_one_line(
    inside: Inside, tmp_path: Path, url: str, status: int
) -> None:
    done = inside("migrate", database_url=url)
    check_one_line(done, status)
    assert "pass" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_data_directory_that_cannot_be_used_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("up", folder=tmp_path, settings={"data_dir": tmp_path / "file" / "data"})
    check_one_line(done, 1, str(tmp_path / "file"))


def test_a_second_one_on_the_same_data_says_so_and_ends(
    tidings_up: TidingsUp, tmp_path: Path
) -> None:
    done = run("up", folder=tmp_path, settings={"data_dir": tidings_up.data_dir, "port": 0})
    check_one_line(done, 1, "already running", str(tidings_up.data_dir))
    assert tidings_up.answers("/health/ready")


def test_a_port_that_is_taken_is_named_in_one_line(tidings_up: TidingsUp, tmp_path: Path) -> None:
    port = str(tidings_up.port)
    done = run("up", "--port", port, "--workers", "2", folder=tmp_path)
    check_one_line(done, 1, port, "in use")
    assert tidings_up.answers("/health/ready")


def test_an_address_that_is_not_ours_is_named_in_one_line(tmp_path: Path) -> None:
    check_one_line(run("up", "--host", "192.0.2.1", folder=tmp_path), 1, "192.0.2.1")


def test_commands_find_the_running_server(tidings_up: TidingsUp, tmp_path: Path) -> None:
    here = {"data_dir": tidings_up.data_dir}
    assert run("migrate", folder=tmp_path, settings=here).returncode == 0
    listed = run("projections", folder=tmp_path, settings=here | {"TEST_ANYTHING": "ignored"})
    assert listed.returncode == 0
    for name in PROJECTION_NAMES:
        assert name in listed.stdout
        parked = run("projections", "parked", name, folder=tmp_path, settings=here)
        assert (parked.returncode, parked.stdout) == (0, "Nothing is parked.\n")
    rebuilt = run("rebuild", "customers", "--drop-old", folder=tmp_path, settings=here)
    assert rebuilt.returncode == 0, rebuilt
    assert "customers" in rebuilt.stdout
    verified = run("projections", "verify", folder=tmp_path, settings=here)
    assert verified.returncode == 0, verified
    assert verified.stdout.count("as the log has it") == len(PROJECTION_NAMES)
    check_one_line(
        run("rebuild", "customers", "--rollback", folder=tmp_path, settings=here),
        1,
        "customers has no former generation",
    )
    assert tidings_up.answers("/v1/customers")


def test_reactions_are_shown_and_taken_up_beside_the_running_reactor(
    tidings_up: TidingsUp, tmp_path: Path
) -> None:
    here = {"data_dir": tidings_up.data_dir}
    shown = run("reactions", folder=tmp_path, settings=here)
    assert shown.returncode == 0, shown
    assert re.search(r"^\d+ timers wait; \d+ are overdue\.$", shown.stdout, re.M), shown
    for subcommand in ("parked", "retry"):
        done = run("reactions", subcommand, folder=tmp_path, settings=here)
        assert (done.returncode, done.stdout) == (0, "Nothing is parked.\n"), done
    done = run("reactions", "skip", "carl", folder=tmp_path, settings=here)
    check_one_line(done, 1, "the reactor has not parked 'carl'")
    done = run("timers", "nothing:", folder=tmp_path, settings=here)
    assert (done.returncode, done.stdout) == (0, "no timer waits\n")


def test_what_the_reactor_has_parked_is_reacted_to(tidings_up: TidingsUp, tmp_path: Path) -> None:
    here = {"data_dir": tidings_up.data_dir}
    server = find_running(tidings_up.data_dir)
    assert server
    park = (
        "INSERT INTO tidings.parked_keys (consumer, key, position, error, parked_at)"
        " SELECT 'reactor', key, 1, 'it fails', now() FROM unnest(%s::text[]) AS key"
    )
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(park, (["carl", "dora"],))
    parked = run("reactions", "parked", folder=tmp_path, settings=here)
    assert all(said in parked.stdout for said in ("carl", "dora", "it fails")), parked
    done = run("reactions", "skip", "carl", folder=tmp_path, settings=here)
    assert (done.returncode, done.stdout) == (0, "reactor carl: reacted to\n"), done
    done = run("reactions", "retry", folder=tmp_path, settings=here)
    assert (done.returncode, done.stdout) == (0, "reactor dora: reacted to\n"), done
    with psycopg.connect(server) as connection:
        recorded = connection.execute(
            "SELECT type, data ->> 'key', metadata ->> 'actor' FROM tidings.events"
            " WHERE stream = 'audit-reactor' ORDER BY version DESC LIMIT 2"
        ).fetchall()
    assert [(kind, key) for kind, key, _ in recorded] == [
        ("reaction.retry_requested", None),
        ("reaction.skip_requested", "carl"),
    ]
    assert all(actor.startswith("cli:") for *_, actor in recorded)


def test_commands_start_a_server_of_their_own_where_none_runs(tmp_path: Path) -> None:
    done = run("migrate", folder=tmp_path)
    assert done.returncode == 0, done
    assert "tidings" in done.stdout
    assert not (tmp_path / "data" / "server.json").exists()
