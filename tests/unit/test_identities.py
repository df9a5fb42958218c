import pytest

from app.kernel.errors import InvalidInput
from app.modules.customers.events import IdentityKind
from app.modules.customers.identities import normalised


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("email", "  Anna.Berg@Example.ORG\n", "anna.berg@example.org"),
        ("email", "anna+news@mail.example.org", "anna+news@mail.example.org"),
        ("email", "STRASSE@example.org", "strasse@example.org"),
        ("email", "straße@example.org", "strasse@example.org"),
        ("email", "a@münchen.example", "a@münchen.example"),
        ("phone", "+1 (202) 555-0143", "+12025550143"),
        ("phone", "001 202 555 0143", "+12025550143"),
        ("phone", "\u00a0+1.202.555.0143 ", "+12025550143"),
        ("phone", "+1/202\u2011555\u20110143", "+12025550143"),
        ("anonymous", "visitor-7", "visitor-7"),
        ("anonymous", "Visitor-7", "Visitor-7"),
        ("external", "crm/4711?x=#1", "crm/4711?x=#1"),
        ("external", "CRM:4711", "CRM:4711"),
        ("external", "x" * 200, "x" * 200),
    ],
)
def test_a_value_is_written_in_one_way(kind: IdentityKind, value: str, expected: str) -> None:
    assert normalised(kind, value) == expected
    assert normalised(kind, expected) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", ""),
        ("email", "anna"),
        ("email", "anna@example"),
        ("email", "@example.org"),
        ("email", "anna@@example.org"),
        ("email", "anna@example..org"),
        ("email", "anna@.example.org"),
        ("email", "an na@example.org"),
        ("email", "anna\x00@example.org"),
        ("email", "anna@exam\ud800ple.org"),
        ("email", "a" * 65 + "@example.org"),
        ("email", "anna@" + "x" * 250 + ".org"),
        ("phone", ""),
        ("phone", "+"),
        ("phone", "202 555 0143"),
        ("phone", "+0 202 555 0143"),
        ("phone", "+123456"),
        ("phone", "+1234567890123456"),
        ("phone", "+1 202 555 0143 ext. 5"),
        ("phone", "+١٢٠٢٥٥٥٠١٤٣"),
        ("phone", "++12025550143"),
        ("anonymous", ""),
        ("anonymous", "a/b"),
        ("anonymous", "x" * 200),
        ("external", ""),
        ("external", "x" * 201),
        ("external", "a\nb"),
        ("external", "a\x00b"),
        ("external", "\ud800"),
    ],
)
def test_what_is_no_such_identity_is_refused(kind: IdentityKind, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        normalised(kind, value)
    assert refused.value.field == "value"
