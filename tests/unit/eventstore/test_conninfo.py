"""How a session is asked for: what the URL says is kept, but for what a store rests on."""

from psycopg.conninfo import conninfo_to_dict

from app.eventstore.database import Database


def options_of(url: str) -> str:
    return str(conninfo_to_dict(Database(url, "shop").conninfo())["options"])


def test_the_options_of_the_url_are_kept_and_ours_win() -> None:
    options = options_of("postgresql://h/d?options=project%3Dx%20-c%20search_path%3Dpublic")
    assert options.startswith("project=x -c search_path=public -c search_path=shop ")


def test_a_url_without_options_has_ours_alone() -> None:
    assert options_of("postgresql://h/d").startswith("-c search_path=shop ")


def test_settings_are_options_of_the_session_beside_ours() -> None:
    said = conninfo_to_dict(Database("postgresql://h/d", "shop").conninfo({"jit": "off"}))
    assert str(said["options"]).startswith("-c search_path=shop ")
    assert str(said["options"]).endswith(" -c jit=off")


def test_the_rest_of_the_url_is_kept() -> None:
    url = "postgresql://ann:secret@h:6543/d?sslmode=require&target_session_attrs=read-write"
    said = conninfo_to_dict(Database(url).conninfo())
    assert (said["user"], said["password"], said["host"], said["port"], said["dbname"]) == (
        "ann",
        "secret",
        "h",
        "6543",
        "d",
    )
    assert (said["sslmode"], said["target_session_attrs"]) == ("require", "read-write")
