"""A template is saved, version by version."""

from msgspec.structs import replace

from app.modules.templates.decider import TEMPLATE, SaveTemplate
from app.modules.templates.events import TemplateSaved, Wording
from app.testing.specs import given

WORDS = {"en": Wording("Hello", "Hello {{ name }}", "<p>Hello</p>"), "de": Wording("Hallo", "Ja")}
save = SaveTemplate(WORDS, "en")
saved = TemplateSaved(WORDS, "en")


def test_a_template_is_saved() -> None:
    given(TEMPLATE).when(save).then(saved)


def test_what_it_says_already_is_no_new_version() -> None:
    given(TEMPLATE, saved).when(save).then_nothing()


def test_it_says_something_else_and_what_it_said_before() -> None:
    otherwise, german = replace(saved, default_language="de"), replace(save, default_language="de")
    given(TEMPLATE, saved).when(german).then(otherwise)
    given(TEMPLATE, saved, otherwise).when(save).then(saved)
