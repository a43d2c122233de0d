"""Every table of the product, for Alembic and for the schema tests."""

from nudgepay import audit, ledger
from nudgepay.access import delegation
from nudgepay.access import models as access
from nudgepay.db import Base
from nudgepay.insights import models as insights
from nudgepay.invoices import models as invoices
from nudgepay.nudges import answers
from nudgepay.nudges import models as nudges
from nudgepay.nudges.mailings import models as mailings
from nudgepay.payments import models as payments
from nudgepay.payments.uploads import models as uploads
from nudgepay.privacy import models as privacy
from nudgepay.schema_lifecycle import models as schema

ROOMS = (
    schema,
    audit,
    ledger,
    access,
    delegation,
    invoices,
    payments,
    uploads,
    nudges,
    answers,
    mailings,
    privacy,
    insights,
)

METADATA = Base.metadata
