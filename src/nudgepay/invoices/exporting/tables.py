"""What can be exported of the books. An export of invoices has the import's own columns and can be read again."""

from nudgepay.invoices.exporting.cells import Table

CLIENTS = Table(
    "clients",
    "SELECT c.id, c.external_id, c.name, c.locale, c.timezone, c.country, p.name AS contact_name,"
    " p.email AS contact_email, p.role AS contact_role, c.schedule_name, c.paused_until, c.reminders_off_at,"
    " c.autopay, c.created_at"
    " FROM clients c LEFT JOIN contacts p ON p.client_id = c.id AND p.removed_at IS NULL"
    " ORDER BY c.id, p.id",
    (
        "id",
        "external_id",
        "name",
        "locale",
        "timezone",
        "country",
        "contact_name",
        "contact_email",
        "contact_role",
        "schedule_name",
        "paused_until",
        "reminders_off_at",
        "autopay",
        "created_at",
    ),
)

INVOICES = Table(
    "invoices",
    "SELECT c.name AS client_name, p.email AS client_email, c.external_id AS client_external_id,"
    " c.locale AS client_locale, c.timezone AS client_timezone, c.country AS client_country,"
    " i.number AS invoice_number, i.external_id, i.description, i.issued_on, i.due_on, i.currency,"
    " i.amount_due AS amount, i.amount_paid, i.amount_remaining AS amount_open, i.status, i.money_state"
    " FROM invoices i JOIN clients c ON c.id = i.client_id"
    " LEFT JOIN LATERAL (SELECT email FROM contacts WHERE client_id = c.id"
    " ORDER BY removed_at IS NOT NULL, role <> 'billing', id LIMIT 1) p ON true ORDER BY i.id",
    (
        "client_name",
        "client_email",
        "client_external_id",
        "client_locale",
        "client_timezone",
        "client_country",
        "invoice_number",
        "external_id",
        "description",
        "issued_on",
        "due_on",
        "currency",
        "amount",
        "amount_paid",
        "amount_open",
        "status",
        "money_state",
    ),
    frozenset({"amount", "amount_paid", "amount_open"}),
)
