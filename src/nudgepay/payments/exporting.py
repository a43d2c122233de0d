"""What can be exported of the money: every fact, with the invoices that it counts for."""

from nudgepay.invoices.exporting.cells import Table

PAYMENTS = Table(
    "payments",
    "SELECT f.id, f.occurred_at, f.kind, c.name AS client_name, c.external_id AS client_external_id, f.currency,"
    " f.amount, coalesce(a.total, 0) AS amount_allocated, a.numbers AS invoice_numbers, f.provider, f.provider_id,"
    " f.reverses, f.problem, f.voided_at, f.note, f.actor, f.recorded_at"
    " FROM money_facts f JOIN clients c ON c.id = f.client_id"
    " LEFT JOIN LATERAL (SELECT sum(x.amount)::bigint AS total, string_agg(i.number, ' ' ORDER BY i.id) AS numbers"
    " FROM allocations x JOIN invoices i ON i.id = x.invoice_id WHERE x.fact_id = f.id) a ON true ORDER BY f.id",
    (
        "id",
        "occurred_at",
        "kind",
        "client_name",
        "client_external_id",
        "currency",
        "amount",
        "amount_allocated",
        "invoice_numbers",
        "provider",
        "provider_id",
        "reverses",
        "problem",
        "voided_at",
        "note",
        "actor",
        "recorded_at",
    ),
    frozenset({"amount", "amount_allocated"}),
)
