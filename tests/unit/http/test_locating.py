"""Finding what is unfit in a body that is refused."""

import pytest

from app.http.body import check_json_body
from app.kernel.errors import InvalidInput


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (rb'{"a":{"b":[1,"x\u0000"]}}', "a.b[1]"),
        (rb'[{"a":"\u0000"}]', "[0].a"),
        (rb'{"a":{"\u0000":1}}', "a"),
        (rb'{"\u0000":1}', ""),
        (rb'"\u0000"', ""),
        (rb'{"a":"\ud83d\ude00","b":"\ud83d"}', "b"),
        (b'{"a":"1e999","b":{"c":-1e999}}', "b.c"),
        (b'{"a":1,"b":%s}' % (b"1" * 5000), "b"),
        (rb'{"\ud800":{"a":"\u0000"}}', ""),  # a path that no answer could show
        (rb'{"a":"\u0000"', ""),  # no JSON after all
        (b'{"a":"%s\\u0000"}' % (b"x" * 65 * 1024), ""),  # too large to be read twice
        (b"[" * 50_000 + rb'"\u0000"' + b"]" * 50_000, ""),
        (rb'{"%s":"\u0000"}' % (b"x" * 201), ""),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_the_field_of_an_unfit_value_is_named_where_it_can_be(body: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_json_body(body)
    assert caught.value.field == field
