"""Ready-made rules: one for each story that Tidings was made for, in `examples/`, to be adapted."""

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable

_SUFFIX = ".json"


def names() -> Sequence[str]:
    """The names of all, in order."""
    return _names_in(_folder())


def rule(name: str) -> bytes:
    """What it says, in JSON, as `PUT /v1/rules/{name}` takes it; `KeyError` when there is none."""
    return _read(_folder(), name)


def template_names() -> Sequence[str]:
    """The names of the templates that they name, in order."""
    return _names_in(_folder() / "templates")


def template(name: str) -> bytes:
    """What `PUT /v1/templates/{name}` takes; `KeyError` when there is none."""
    return _read(_folder() / "templates", name)


def _folder() -> Traversable:
    return files(__package__) / "examples"


def _names_in(folder: Traversable) -> Sequence[str]:
    found = (each.name for each in folder.iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))


def _read(folder: Traversable, name: str) -> bytes:
    if name not in _names_in(folder):
        raise KeyError(name)
    return (folder / f"{name}{_SUFFIX}").read_bytes()
