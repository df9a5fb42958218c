"""What is called leads to the public internet, or where it is allowed to; whatever names say."""

import asyncio
from collections.abc import Sequence

import pytest
from aiohttp import ClientSession

from app.delivery.guard import ForbiddenDestination, Guard, GuardedResolver, guarded_connector
from app.kernel.errors import InvalidInput

pytestmark = pytest.mark.anyio

PUBLIC = "93.184.215.14"
FORBIDDEN = [
    *("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1"),
    *("0.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::a00:1"),
    *("64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
]


def names(*addresses: str) -> GuardedResolver:
    async def look_up(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return GuardedResolver(Guard(), look_up)


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_what_is_not_public_is_not_called(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(ForbiddenDestination):
        Guard().check_url(f"https://{host}/")
    for found in ((address,), (PUBLIC, address), (address, PUBLIC)):
        with pytest.raises(ForbiddenDestination):
            await names(*found).resolve("example.com", 443)


async def test_what_is_public_is_called() -> None:
    Guard().check_url("https://example.com:8443/hook?x=1")
    Guard().check_url(f"https://{PUBLIC}/")
    Guard().check_url("https://xn--bcher-kva.Example./")
    [found] = await names(PUBLIC).resolve("example.com", 443)
    assert (found["host"], found["port"], found["hostname"]) == (PUBLIC, 443, "example.com")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://",
        "https://user:password@example.com/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://127\u30020\u30020\u30021/",
        "https://a\\b/",
        f"https://example.com/{'x' * 3000}",
        "",
    ],
)
def test_what_is_no_url_with_tls_is_not_called(url: str) -> None:
    with pytest.raises(ForbiddenDestination):
        Guard().check_url(url)


@pytest.mark.parametrize("allowed", ["hooks.internal", "10.1.0.0/16", "10.1.2.3"])
async def test_what_is_allowed_by_name_or_network_is_called(allowed: str) -> None:
    guard = Guard([allowed])
    host = "hooks.internal" if allowed == "hooks.internal" else "10.1.2.3"
    guard.check_url(f"http://{host.upper()}:8080/")

    async def look_up(_host: str, _port: int) -> Sequence[str]:
        return ["10.1.2.3"]

    assert await GuardedResolver(guard, look_up).resolve("hooks.internal", 80)
    for other in ("http://10.2.0.1/", "http://127.0.0.1/", "https://169.254.169.254/"):
        with pytest.raises(ForbiddenDestination):
            guard.check_url(other)


@pytest.mark.parametrize("allowed", ["10.1.0.0/99", "a b", "http://example.com", "-", "*.internal"])
def test_what_is_no_place_is_not_allowed(allowed: str) -> None:
    with pytest.raises(InvalidInput):
        Guard([allowed])


async def test_a_name_that_leads_elsewhere_a_moment_later_is_not_followed_there() -> None:
    """The first answer is where it may go, and by the second another server of ours is meant."""
    reached: list[object] = []

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(writer.get_extra_info("sockname")[0])
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    elsewhere = await asyncio.start_server(serve, "127.0.0.2", port)
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])

    async def look_up(_host: str, _port: int) -> Sequence[str]:
        return next(answers)

    guard = Guard(["127.0.0.1"])
    async with (
        server,
        elsewhere,
        ClientSession(connector=guarded_connector(guard, look_up)) as session,
    ):
        url = f"http://rebinds.example:{port}/"
        assert (await session.get(url)).status == 204
        with pytest.raises(ForbiddenDestination):
            await session.get(url)
    assert reached == ["127.0.0.1"]
