"""Which OpenID provider may be named."""

import pytest

from app.kernel.errors import InvalidInput
from app.settings import read_settings

ISSUER = "TIDINGS_OIDC_ISSUER"
AUDIENCE = {"TIDINGS_OIDC_AUDIENCE": "tidings"}


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.example.org",
        "https://login.example.org:8443/realms/shop/",
        "http://127.0.0.1:8080/realms/shop",
        "http://localhost",
        "http://[::1]:8080",
    ],
)
def test_a_provider_is_named_by_its_url(issuer: str) -> None:
    settings = read_settings({ISSUER: issuer, **AUDIENCE})
    assert (settings.oidc_issuer, settings.oidc_algorithm) == (issuer, "RS256")


@pytest.mark.parametrize(
    "issuer",
    [
        "login.example.org",
        "http://login.example.org",
        "http://localhost.example.org",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1:80@evil.example",
        "https://user:password@login.example.org",
        "https://login.example.org?x=1",
        "https://login.example.org/#x",
        "https://login.example.org/a b",
        "file:///etc/passwd",
    ],
)
def test_a_provider_that_cannot_be_trusted_is_refused(issuer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_settings({ISSUER: issuer, **AUDIENCE})
    assert refused.value.field == ISSUER


def test_issuer_and_audience_go_together() -> None:
    for given, missing in (
        (AUDIENCE, ISSUER),
        ({ISSUER: "https://login.example.org"}, "TIDINGS_OIDC_AUDIENCE"),
    ):
        with pytest.raises(InvalidInput) as refused:
            read_settings(given)
        assert refused.value.field == missing


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS1", "rs256", "RS256 "])
def test_an_algorithm_that_proves_nothing_is_refused(algorithm: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_settings({"TIDINGS_OIDC_ALGORITHM": algorithm})
    assert refused.value.field == "TIDINGS_OIDC_ALGORITHM"
