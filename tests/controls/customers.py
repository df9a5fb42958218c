"""Anna, and what happens to her: the canonical customer of the tests."""

from uuid import UUID

from app.modules.customers.decider import (
    ChangeTraits,
    ClaimIdentity,
    LinkIdentity,
    RecordConsent,
    Register,
    ReleaseIdentity,
    UnlinkIdentity,
    WithdrawConsent,
)
from app.modules.customers.events import (
    ConsentRecorded,
    ConsentWithdrawn,
    CustomerRegistered,
    CustomerTraitsChanged,
    IdentityClaimed,
    IdentityLinked,
    IdentityReleased,
    IdentityUnlinked,
)

ANNA = "anna"
BORIS = "boris"

TRAITS = {"name": "Anna Berg", "plan": "free", "seats": 1}
UPGRADE = {"plan": "pro"}

EMAIL = " Anna.Berg@Example.org"
SAME_EMAIL = "anna.berg@example.org"
PHONE = "+1 (202) 555-0143"
SAME_PHONE = "0012025550143"
ANONYMOUS_ID = "visitor-7"
EXTERNAL_ID = "crm:4711"

EMAIL_ID = UUID("0198a5c0-0000-7000-8000-000000000001")
PHONE_ID = UUID("0198a5c0-0000-7000-8000-000000000002")

register = Register(TRAITS)
upgrade = ChangeTraits(UPGRADE)
agree_to_news = RecordConsent("email", "news")
decline_news = WithdrawConsent("email", "news")
link_email = LinkIdentity(EMAIL_ID, "email")
unlink_email = UnlinkIdentity(EMAIL_ID)
claim_for_anna = ClaimIdentity(ANNA)
claim_for_boris = ClaimIdentity(BORIS)
release_from_anna = ReleaseIdentity(ANNA)
release_from_boris = ReleaseIdentity(BORIS)

registered = CustomerRegistered(TRAITS)
upgraded = CustomerTraitsChanged(UPGRADE)
agreed_to_news = ConsentRecorded("email", "news")
declined_news = ConsentWithdrawn("email", "news")
email_linked = IdentityLinked(EMAIL_ID, "email")
email_unlinked = IdentityUnlinked(EMAIL_ID, "email")
claimed_by_anna = IdentityClaimed(ANNA)
released_from_anna = IdentityReleased(ANNA)
