"""Master keys: where they are read, made and destroyed."""

import base64
from pathlib import Path

import pytest

from app.kernel.errors import InvalidInput
from app.master_key import next_master_keys, read_master_keys, retire_master_keys
from app.settings import Settings

KEY = bytes(range(32))


def test_a_key_is_made_once_readable_by_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    [key] = read_master_keys(settings)
    assert read_master_keys(settings) == [key]
    assert len(key) == 32
    file = tmp_path / "data" / "master-key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["master-key"]


@pytest.mark.parametrize("text", [KEY.hex(), base64.b64encode(KEY).decode()])
def test_a_key_is_hexadecimal_or_base64(text: str) -> None:
    assert read_master_keys(Settings(master_key=text)) == [KEY]
    assert read_master_keys(Settings(master_key=f"{'00' * 32},{text}"))[-1] == KEY


@pytest.mark.parametrize("text", ["short", KEY.hex()[2:], "", f"{KEY.hex()},", "é"])
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_master_keys(Settings(master_key=text))
    assert refused.value.field == "TIDINGS_MASTER_KEY"
    assert not text or text not in str(refused.value)


def test_a_new_key_stands_beside_the_old_one_until_that_is_destroyed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, master_key_file=tmp_path / "keys")
    [old] = read_master_keys(settings)
    assert next_master_keys(settings)[:1] == [old]
    assert next_master_keys(settings) == read_master_keys(settings)  # one that is begun goes on
    _, new = read_master_keys(settings)
    retire_master_keys(settings)
    assert read_master_keys(settings) == [new]
    assert old.hex() not in (tmp_path / "keys").read_text()
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_a_rewrap_of_a_key_of_the_settings_takes_the_new_one_from_there() -> None:
    with pytest.raises(InvalidInput):
        next_master_keys(Settings(master_key=KEY.hex()))
