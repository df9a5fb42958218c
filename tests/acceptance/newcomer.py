"""Somebody who does what a page says, command by command, and compares the answers.

A page's commands stand in ``sh`` blocks, one a block; the answer that the page shows stands in the
``json`` or ``text`` block behind it; where none is shown, any will do but a problem. What differs
each time (ids, times, cursors) is recognised by how it looks; the same one on the page must be the
same one here, and takes its place in later commands. In text, ``…`` stands for anything.
"""

import base64
import json
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.fixtures.markdown import Block, blocks_of
from tests.fixtures.tidings_up import TidingsUp, tidings

DEADLINE_SECONDS = 60
ELLIPSIS = "…"
PAGES_URL = "http://127.0.0.1:8000"
PROBLEM = "urn:tidings:problem:"

_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
_CURSOR = r"[\w-]{22,}"
_ACTOR = r"key:\w{12}"
_CHANGING = [re.compile(pattern) for pattern in (_UUID, _TIME, _CURSOR, _ACTOR)]


class Step(NamedTuple):
    """A command of a page, and the answer that the page shows."""

    command: str
    answer: Block | None


class Request(NamedTuple):
    """What a curl command asks."""

    method: str
    url: str
    headers: dict[str, str]
    body: str | None
    shows_headers: bool
    follows: bool


def steps_of(page: Path) -> Iterator[Step]:
    """The commands of a page in order."""
    blocks = list(blocks_of(page))
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.language == "sh":
            answers = following is not None and following.language in {"json", "text"}
            yield Step(block.text.strip(), following if answers else None)


class Newcomer:
    """Reads a page with one `tidings up` at hand."""

    def __init__(self, running: TidingsUp, folder: Path) -> None:
        """Commands are run in the folder, and find the data of `running`."""
        self._running = running
        self._folder = folder
        self._is_up = False
        self._real: dict[str, str] = {PAGES_URL: running.url}
        """What stands on the page, and what it is here."""

    def follow(self, page: Path) -> int:
        """Do all that the page says; how many answers were compared."""
        compared = 0
        for step in steps_of(page):
            self._take(step)
            compared += step.answer is not None
        return compared

    def _take(self, step: Step) -> None:
        """What only reads is asked again until the read models have followed the log."""
        command = step.command
        for on_page, here in self._real.items():
            command = command.replace(on_page, here)
        only_reads = command.startswith("tidings projections") or (
            command.startswith("curl") and request_of(command).method == "GET"
        )
        deadline = time.monotonic() + (DEADLINE_SECONDS if only_reads else 0)
        while True:
            output = self._run(command, step.answer)
            try:
                self._compare(step, output)
                return self._rest() if command.startswith("curl") and not only_reads else None
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _rest(self) -> None:
        """Whoever reads a page takes longer for a step than reactions to the one before."""
        look = f"curl -u '$TIDINGS_API_KEY:' {self._running.url}/v1/reactions"
        while True:
            shards = json.loads(self._run(look, None))["shards"]
            if all(shard["lag_events"] == 0 for shard in shards):
                return
            time.sleep(0.02)

    def _run(self, command: str, answer: Block | None) -> str:
        if command.startswith("make up"):
            return self._up()
        if command.startswith("export TIDINGS_API_KEY="):
            return self._take_the_key()
        if command.startswith("curl"):
            key = self._running.environment.get("TIDINGS_API_KEY", "")
            return self._ask(request_of(command.replace("$TIDINGS_API_KEY", key)), answer)
        environment = self._running.environment | {"COLUMNS": "120"}
        environment["PATH"] = f"{Path(tidings()[0]).parent}:{environment['PATH']}"
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self._folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
        )
        return done.stdout

    def _up(self) -> str:
        if self._is_up:  # the page said to press Ctrl-C
            assert self._running.stop(signal.SIGINT) == 0, self._running.tail()
        self._running.start()
        self._is_up = True
        return self._running.output()

    def _take_the_key(self) -> str:
        """Copy it from the other terminal."""
        found = re.search(r"export TIDINGS_API_KEY=(tdg_\w+)", self._running.output())
        assert found, self._running.output()
        self._running.environment["TIDINGS_API_KEY"] = found[1]
        return ""

    def _ask(self, request: Request, answer: Block | None) -> str:
        split = urlsplit(request.url)
        connection = HTTPConnection(split.netloc, timeout=DEADLINE_SECONDS)
        target = f"{split.path}?{split.query}" if split.query else split.path
        try:
            body = self._body(request.body) if request.body is not None else None
            connection.request(request.method, target, body, request.headers)
            response = connection.getresponse()
            if request.follows and answer:
                return _first_lines(response, len(answer.text.splitlines()))
            text = response.read().decode()
        finally:
            connection.close()
        if not request.shows_headers:
            return text
        head = "".join(f"{name}: {value}\n" for name, value in response.getheaders())
        return f"HTTP/1.1 {response.status} {response.reason}\n{head}\n{text}"

    def _body(self, said: str) -> bytes:
        """As it stands there, or in a file of theirs."""
        if said.startswith("@"):
            return (self._folder / said.removeprefix("@")).read_bytes()
        return said.encode()

    def _compare(self, step: Step, output: str) -> None:
        said = f"{step.command}\nwas answered:\n{output}"
        match step.answer:
            case None:
                assert PROBLEM not in output, said
            case Block("json", text):
                found: dict[str, str] = {}
                self._compare_json(json.loads(text), json.loads(output), found, said)
                self._real |= found
            case Block("text", text):
                for on_page, here in self._real.items():
                    text = text.replace(on_page, here)
                real = "".join(f"{' '.join(line.split())}\n" for line in output.splitlines())
                assert _pattern(text).fullmatch(real), f"{said}\nand not:\n{text}"

    def _compare_json(self, shown: Any, real: Any, found: dict[str, str], said: str) -> None:
        match shown, real:
            case dict(), dict():
                assert shown.keys() == real.keys(), said
                for name, value in shown.items():
                    self._compare_json(value, real[name], found, f"{name} in {said}")
            case list(), list():
                assert len(shown) == len(real), said
                for one, other in zip(shown, real, strict=True):
                    self._compare_json(one, other, found, said)
            case str(), str():
                self._compare_text(shown, real, found, said)
            case _:
                assert type(shown) is type(real), said
                assert shown == real, said

    def _compare_text(self, shown: str, real: str, found: dict[str, str], said: str) -> None:
        for pattern in _CHANGING:
            on_page, here = pattern.findall(shown), pattern.findall(real)
            assert len(on_page) == len(here), said
            for one, other in zip(on_page, here, strict=True):
                known = (self._real | found).get(one)
                assert known in {None, other}, f"{one} was {known} before, in {said}"
                found[one] = other
            shown, real = pattern.sub("<>", shown), pattern.sub("<>", real)
        assert shown == real, said


def _first_lines(response: HTTPResponse, number: int) -> str:
    return "".join(response.readline().decode() for _ in range(number))


def _pattern(text: str) -> re.Pattern[str]:
    """What fits the text, spaces and empty lines at both ends aside."""
    lines = (
        r"(?:.*\n)*?"
        if line.strip() == ELLIPSIS
        else re.escape(" ".join(line.split())).replace(ELLIPSIS, ".*") + r"\n"
        for line in text.strip().splitlines()
    )
    return re.compile(rf"\n*{''.join(lines)}\n*")


def request_of(command: str) -> Request:
    """What a curl command with the few options that the pages use asks."""
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    url, headers, body, method, flags = "", {}, None, None, set()
    for word in words:
        match word:
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-u":
                credentials = base64.b64encode(next(words).encode()).decode()
                headers["Authorization"] = f"Basic {credentials}"
            case "-d":
                body = next(words)
            case "-X":
                method = next(words)
            case "-i" | "-N":
                flags.add(word)
            case _:
                assert not word.startswith("-"), f"the newcomer does not know curl's {word}"
                url = word
    method = method or ("GET" if body is None else "POST")
    return Request(method, url, headers, body, "-i" in flags, "-N" in flags)
