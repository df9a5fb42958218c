"""The documentation as one page of HTML: what each operation takes and answers, ready to be tried.

Everything from the document is escaped where it enters the page.
"""

import json
import re
import shlex
from collections.abc import Iterator
from html import escape
from typing import Any
from urllib.parse import quote

from app.http.examples import Document, Schema, resolve
from app.http.openapi import operations

MAX_LEVELS = 4
"""Of objects in objects whose fields are listed; some contain themselves."""

_JSON = "application/json"
_CODE = re.compile(r"``?([^`]+)``?")
_AS_CODE = r"<code>\1</code>"


def documentation_page(document: Document, *, base_url: str, style: str, script: str) -> str:
    """The page; `base_url` is where the curl commands on it go to."""
    info = document["info"]
    sections = [
        _section(path, method, operation, document, base_url)
        for path, method, operation in operations(document)
    ]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])} API</title><link rel="icon" href="data:,">
<style>{style}</style></head><body>
<header><h1>{escape(info["title"])} API <small>{escape(info["version"])}</small></h1>
<p><label>API key <input id="key" type="password" autocomplete="off"></label></p>
<p>{escape(info["summary"])}. The same for programs: <a href="/openapi.json">openapi.json</a>.</p>
</header>
<nav>{_navigation(document)}</nav><main>{"".join(sections)}</main>
<script>{script}</script></body></html>
"""


def _navigation(document: Document) -> str:
    items = (
        f'<li><a href="#{escape(operation["operationId"])}">{_method(method)} '
        f"{escape(operation.get('summary', path))}</a></li>"
        for path, method, operation in operations(document)
    )
    return f"<ul>{''.join(items)}</ul>"


def _section(path: str, method: str, operation: Schema, document: Document, base_url: str) -> str:
    parameters = [resolve(parameter, document) for parameter in operation.get("parameters", ())]
    body = operation.get("requestBody", {}).get("content", {}).get(_JSON)
    answers = "".join(_answers(operation, document))
    return f"""<section id="{escape(operation["operationId"])}">
<h2>{_method(method)} <code>{escape(path)}</code></h2>
<p>{_text(operation.get("summary", ""))}.</p>{_prose(operation.get("description", ""))}
<form data-method="{method}" data-path="{escape(path)}">{_inputs(parameters, document)}
{_body(body, document)}<p><button>Send</button></p><pre hidden></pre></form>
<details><summary>As a command</summary>
<pre>{escape(_curl(base_url + path, method, parameters, body))}</pre></details>
<h3>Answers</h3>{answers}</section>
"""


def _method(method: str) -> str:
    return f'<span class="method {method.lower()}">{method}</span>'


def _prose(text: str) -> str:
    """A docstring as paragraphs."""
    return "".join(f"<p>{_text(part)}</p>" for part in text.split("\n\n") if part.strip())


def _text(text: str) -> str:
    """A description, with what stands between backquotes as code."""
    return _CODE.sub(_AS_CODE, escape(text))


def _inputs(parameters: list[Schema], document: Document) -> str:
    rows = (
        f"<tr><td{' class=required' if parameter.get('required') else ''}>"
        f"<code>{escape(parameter['name'])}</code></td>"
        f'<td><input name="{escape(parameter["name"])}" data-in="{parameter["in"]}"'
        f' aria-label="{escape(parameter["name"])}" value="{escape(_given(parameter))}"></td>'
        f"<td>{_described(parameter, parameter['schema'], document)}</td></tr>"
        for parameter in parameters
    )
    return f"<table>{''.join(rows)}</table>"


def _given(parameter: Schema) -> str:
    """What a parameter's field holds at first: the example of one in the path, else nothing."""
    examples = parameter["schema"].get("examples", ()) if parameter["in"] == "path" else ()
    return str(examples[0]) if examples else ""


def _body(media: Schema | None, document: Document) -> str:
    if media is None:
        return ""
    example = escape(_pretty(media.get("example")))
    return f"""<h3>Body</h3><table>{"".join(_fields(media["schema"], document))}</table>
<textarea aria-label="body" spellcheck="false">{example}</textarea>"""


def _fields(schema: Schema, document: Document, name: str = "", level: int = 0) -> Iterator[str]:
    """A row for each field of an object, and for those of the objects in it, by their paths."""
    required = resolve(schema, document).get("required", ())
    for part_name, part in _parts(resolve(schema, document)):
        path = f"{name}.{part_name}".removeprefix(".").replace(".[]", "[]")
        if part_name in resolve(schema, document).get("properties", {}):
            mark = " class=required" if part_name in required else ""
            described = _described(part, part, document)
            yield f"<tr><td{mark}><code>{escape(path)}</code></td><td>{described}</td></tr>"
        if level < MAX_LEVELS:
            yield from _fields(part, document, path, level + 1)


def _parts(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """What a schema is made of, by name; choices have none, and items are called ``[]``."""
    yield from (("", choice) for choice in schema.get("oneOf", ()))
    if "items" in schema:
        yield "[]", schema["items"]
    yield from schema.get("properties", {}).items()


def _described(described: Schema, schema: Schema, document: Document) -> str:
    description = described.get("description", "")
    return f'<span class="kind">{escape(_kind(schema, document))}</span> {_text(description)}'


def _kind(schema: Schema, document: Document) -> str:
    """A schema in a few words, such as ``integer 1 to 200`` or ``list of Event``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "oneOf" in schema:
        return " or ".join(_kind(part, document) for part in schema["oneOf"])
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}), document)}"
    bounds = [f"{schema[key]:g}" for key in ("minimum", "maximum") if key in schema]
    kind = schema.get("format") or schema.get("type", "anything")
    return f"{kind} {' to '.join(bounds)}".strip()


def _answers(operation: Schema, document: Document) -> Iterator[str]:
    for status, part in operation["responses"].items():
        answer = resolve(part, document)
        yield f"<p><code>{escape(status)}</code> {escape(answer['description'])}</p>"
        for media in answer.get("content", {}).values():
            examples = [example["value"] for example in media.get("examples", {}).values()]
            for value in [media["example"]] if "example" in media else examples:
                yield f"<pre>{escape(_pretty(value))}</pre>"


def _curl(url: str, method: str, parameters: list[Schema], media: Schema | None) -> str:
    for parameter in parameters:
        if parameter["in"] == "path":
            value = quote(_given(parameter) or parameter["name"], safe="~")
            url = url.replace(f"{{{parameter['name']}}}", value)
    command = ["-X", method, url] if method != "GET" else [url]
    if media is not None:
        command += ["-H", f"Content-Type: {_JSON}", "-d", json.dumps(media.get("example"))]
    return f'curl -u "$TIDINGS_API_KEY:" {shlex.join(command)}'


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
