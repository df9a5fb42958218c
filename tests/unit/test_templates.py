"""Templates are strict, cost little whatever they say, and cannot get out of the subject's line."""

import pickle
import resource
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from app.kernel.errors import InvalidInput
from app.modules.templates.events import TemplateSaved, Wording
from app.modules.templates.liquid import (
    MAX_ITERATIONS,
    MAX_NESTED_BLOCKS,
    MAX_TAG_CHARACTERS,
    Part,
    RenderingFailed,
)
from app.modules.templates.rendering import MAX_SUBJECT_CHARACTERS, render, variables_of

SECONDS = 10
MIB = 1024**2
ANN = {"name": "Ann"}


def rendered(source: str, *, is_html: bool = False, **values: Any) -> str:
    return Part(source, is_html=is_html, field="text").render(values)


def one(text: str, subject: str = "Hello") -> TemplateSaved:
    return TemplateSaved({"en": Wording(subject, text)}, "en")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Hello {{ name }}", "Hello Ann"),
        ("{{ profile.traits.city | default: 'somewhere' }}", "somewhere"),
        ("{% for i in items %}{{ i.sku }}{% unless forloop.last %}, {% endunless %}{% endfor %}",
         "socks, shoes"),
        ("{% if total > 1000 %}much{% else %}little{% endif %}", "much"),
        ("{{ total | divided_by: 100.0 | round: 2 }}", "23.5"),
        ("{{ items | map: 'sku' | join: '+' | upcase }}", "SOCKS+SHOES"),
        ("{{ at | date: '%d %B %Y, %H:%M', 'Europe/Berlin' }}", "01 July 2026, 02:30"),
        ("{% assign n = items | size %}{% capture c %}{{ n }}!{% endcapture %}{{ c }}", "2!"),
        ("{% for n in (1..3) reversed %}{{ n }}{% endfor %}", "321"),
    ],
)  # fmt: skip
def test_a_template_says_what_it_is_given(source: str, expected: str) -> None:
    said = rendered(
        source,
        name="Ann",
        total=2350,
        at="2026-07-01T00:30:00Z",
        items=[{"sku": "socks"}, {"sku": "shoes"}],
        profile={"traits": {}},
    )
    assert said == expected


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ("{{ a | no_such }}", "there is no filter 'no_such'"),
        ("{{ a | safe }}", "there is no filter 'safe'"),
        ("{% if a %}", "expected tag endif"),
        ("one\n {% include 'other' %}", "line 2, column 5: unexpected tag 'include'"),
        ("{% render 'other' %}", "unexpected tag 'render'"),
        ("{{ a ", "not closed within"),
        ("{{ a | ", "not closed within"),
        ("{% nothing %}", "unexpected tag"),
    ],
)
def test_what_is_no_template_is_refused_when_it_is_saved(source: str, detail: str) -> None:
    with pytest.raises(InvalidInput, match=detail) as refused:
        variables_of(one(source))
    assert refused.value.field == "languages.en.text"


@pytest.mark.parametrize(
    "source",
    [
        "{{ nobody }}",
        "{{ known.nothing }}",
        "{% if nobody %}{% endif %}",
        "{% for n in nobody %}{% endfor %}",
        "{{ nobody | upcase }}",
        "{{ now }}",
        "{{ today }}",
    ],
)
def test_what_is_not_given_is_an_error_and_there_is_no_clock(source: str) -> None:
    with pytest.raises(RenderingFailed, match="undefined"):
        rendered(source, known={})


@pytest.mark.parametrize(
    "source",
    [
        *("{{ a | divided_by: 0 }}", "{{ a | date: '%d' }}", "{{ a | slice: a }}"),
        *("{{ '2026-01-01' | date: '%d', a }}", "{{ a[a] }}", "{{ a.x[a].y }}"),
    ],
)
def test_an_error_tells_no_value(source: str) -> None:
    with pytest.raises(RenderingFailed) as failed:
        rendered(source, a="Anna's secret")
    assert "secret" not in str(failed.value)


def test_what_it_has_to_be_given_is_listed_by_full_names() -> None:
    template = one(
        "{% assign x = order.id %}{{ x }}{% for one in items %}{{ one.sku }}{% endfor %}",
        subject="{{ profile.traits.name }}",
    )
    assert variables_of(template) == ["items", "order.id", "profile.traits.name"]


@pytest.mark.parametrize("name", ["profile.name", "profile", "profile['email']"])
def test_a_profile_has_no_other_fields(name: str) -> None:
    with pytest.raises(InvalidInput, match="a profile has language, traits"):
        variables_of(one(f"{{{{ {name} }}}}"))


def test_html_is_escaped_and_text_is_not() -> None:
    template = TemplateSaved({"en": Wording("{{ x }}", "{{ x }}", "<b>{{ x }}</b>")}, "en")
    said = render(template, None, {"x": "<script>&"}, ANN)
    assert (said.subject, said.text) == ("<script>&", "<script>&")
    assert said.html == "<b>&lt;script&gt;&amp;</b>"


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028", "\x00"])
def test_a_subject_is_one_line_whatever_is_in_it(line_end: str) -> None:
    subject = f"Hello{line_end}{{{{ name }}}}"
    name = f"Ann{line_end}Bcc: everybody@example.org{line_end}"
    said = render(one("Hello", subject), None, {"name": name}, ANN)
    assert said.subject == "Hello Ann Bcc: everybody@example.org"
    long = render(one("Hello", "{{ name }}"), None, {"name": "x" * 10_000}, ANN)
    assert len(long.subject) == MAX_SUBJECT_CHARACTERS


@pytest.mark.parametrize(
    ("language", "chosen"),
    [("en-GB", "en-GB"), ("EN_gb", "en-GB"), ("en-US", "en"), ("de-AT-1996", "de"), ("fr", "de"),
     (None, "de"), ("", "de"), ("-", "de"), ("e" * 10_000, "de")],
)  # fmt: skip
def test_the_next_language_is_chosen(language: str | None, chosen: str) -> None:
    words = {name: Wording("s", "{{ profile.language }}") for name in ("en", "en-GB", "de")}
    said = render(TemplateSaved(words, "de"), language, {}, ANN)
    assert (said.language, said.text) == (chosen, chosen)


LOOP = "{{% for n in {} %}}{}{{% endfor %}}"
HOSTILE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "an endless loop": (LOOP.format("(1..1000000000)", "x"), {}),
    "one backwards": (LOOP.format("(1..1000000000) reversed", "x"), {}),
    "one with another's end": (LOOP.format("(1..n) reversed", "x"), {"n": 10**30}),
    "loops in loops": (LOOP.format("(1..99)", LOOP.format("(1..99)", "")), {}),
    "loops one after the other": (LOOP.format("(1..900)", "") * 2, {}),
    "a long loop of much": (LOOP.format("(1..999)", "{%if 1%}{%endif%}" * 1000), {}),
    "a range that is joined": ("{{ (1..1000000000) | join }}", {}),
    "a range that is searched": ("{% if (1..1000000000) contains 'x' %}{% endif %}", {}),
    "a string that doubles": (
        "{% assign a = 'xxxxxxxx' %}" + "{% assign a = a | append: a %}" * 60, {}
    ),
    "a text that doubles": (
        "{% assign a = 'xxxxxxxx' %}" + "{% capture a %}{{a}}{{a}}{% endcapture %}" * 60, {}
    ),
    "a replacement that multiplies": (
        "{% assign a = 'aaaaaaaaaaaaaaaa' %}" + "{% assign a = a | replace: 'a', a %}" * 9, {}
    ),
    "a list that multiplies": ("{{ l | join: s }}", {"l": ["x"] * 9_000, "s": "x" * 9_000}),
    "a number that squares": ("{% assign a = 9 %}" + "{% assign a = a | times: a %}" * 60, {}),
    "a number of many digits": ("{{ a }}", {"a": 10**5_000}),
    "filters on much": ("{{ a" + " | upcase" * 50 + " }}", {"a": "x" * 40_000}),
    "huge output": ("{{ a }}" * 2_000, {"a": "x" * 1_000}),
    "deep blocks": ("{% if 1 %}" * 1_000 + "{% endif %}" * 1_000, {}),
    "deep brackets": ("{{ a" + "[a" * 5_000 + "]" * 5_000 + " }}", {"a": 1}),
    "a long condition": ("{% if 1" + " and 1" * 3_000 + " %}{% endif %}", {}),
    "outputs that never close": ("{{" * 10_000, {}),
    "tags that never close": ("{%" * 10_000, {}),
    "raws that never close": ("{% raw %}" * 2_000, {}),
    "white space": (("{{" + " " * (MAX_TAG_CHARACTERS - 4) + "}}") * 40, {}),
    "a date as wide as one likes": ("{{ a | date: '%1000000000d' }}", {"a": "2026-01-01"}),
}  # fmt: skip
_IN_A_PROCESS = """
import pickle, sys
from app.kernel.errors import InvalidInput
from app.modules.templates.liquid import Part
for source, values in pickle.loads(sys.stdin.buffer.read()):
    try:
        print("said", len(Part(source, is_html=False, field="text").render(values)))
    except InvalidInput as error:
        print("refused", error)
"""


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (512 * MIB, 512 * MIB))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def test_hostile_templates_are_refused_or_cut_in_little_time_and_memory() -> None:
    """All in one process, which the system ends if it takes more."""
    asked = pickle.dumps(list(HOSTILE.values()))
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS],
        input=asked, capture_output=True, preexec_fn=_limit, timeout=6 * SECONDS, check=True,
    )  # fmt: skip
    answers = dict(zip(HOSTILE, done.stdout.decode().splitlines(), strict=True))
    assert [what for what, answer in answers.items() if not answer.startswith("refused")] == []


def test_what_is_within_the_bounds_is_rendered() -> None:
    assert rendered(LOOP.format(f"(1..{MAX_ITERATIONS})", "x")) == "x" * MAX_ITERATIONS
    deep = "{% if 1 %}" * MAX_NESTED_BLOCKS + "x" + "{% endif %}" * MAX_NESTED_BLOCKS
    assert rendered(deep) == "x"
