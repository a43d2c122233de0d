"""What can be exported of the letters: what went where, when and about how much; never their text or their keys."""

from nudgepay.invoices.exporting.cells import Table

LETTERS = Table(
    "letters",
    "SELECT l.id::text AS id, c.name AS client_name, c.external_id AS client_external_id, l.to_address, l.subject,"
    " l.locale, l.currency, l.amount, n.numbers AS invoice_numbers, n.steps, l.state, l.message_id, l.created_at,"
    " l.sending_at, l.accepted_at, l.settled_at, l.reply"
    " FROM letters l JOIN clients c ON c.id = l.client_id"
    " LEFT JOIN LATERAL (SELECT string_agg(i.number, ' ' ORDER BY i.id) AS numbers,"
    " string_agg(DISTINCT r.step, ' ') AS steps FROM reminders r JOIN invoices i ON i.id = r.invoice_id"
    " WHERE r.letter_id = l.id) n ON true ORDER BY l.created_at, l.id",
    (
        "id",
        "client_name",
        "client_external_id",
        "to_address",
        "subject",
        "locale",
        "currency",
        "amount",
        "invoice_numbers",
        "steps",
        "state",
        "message_id",
        "created_at",
        "sending_at",
        "accepted_at",
        "settled_at",
        "reply",
    ),
    frozenset({"amount"}),
)
