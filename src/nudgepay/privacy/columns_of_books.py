"""Clients, invoices, money: what the law keeps lies here."""

from nudgepay.privacy.judging import ADDRESS, WORD, table

OF_CLIENTS = "client_id = ANY(:clients)"
OF_INVOICES = "invoice_id IN (SELECT i.id FROM invoices i WHERE i.client_id = ANY(:clients))"
OF_FACTS = "fact_id IN (SELECT f.id FROM money_facts f WHERE f.client_id = ANY(:clients))"
ISSUED_ON = "(SELECT i.issued_on FROM invoices i WHERE i.id = invoice_id)"
STILL_OPEN = "(SELECT i.status IN ('draft', 'open') FROM invoices i WHERE i.id = invoice_id)"
RANDOM = "replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')"

BOOKS = (
    table(
        "stripe_events",
        "event_id type received_at next_try_at attempts handled_at outcome error",
        rows="handled_at IS NOT NULL AND (payload ~* :mentions OR EXISTS (SELECT FROM checkout_sessions c"
        " WHERE c.client_id = ANY(:clients) AND strpos(payload, coalesce(c.session_id, c.payment_intent_id)) > 0))",
        erased={"payload": "'{}'"},
    ),
    table(
        "import_uploads",
        "id digest size choices state error rows_done attempts first_invoice_id last_invoice_id written_at created_at"
        " created_by updated_at name kind",
        rows="report::text ~* :mentions OR EXISTS (SELECT FROM unnest(CAST(:names AS text[])) n"
        " WHERE strpos(lower(report::text), n) > 0)",
        erased={"report": """report || '{"changes": [], "errors": []}'""", "content": "NULL"},
    ),
    table(
        "bank_lines",
        "id statement_id dedup_key kind booked_on amount currency state reason fact_id undone decided_by decided_at"
        " created_at",
        rows=OF_FACTS,
        kept={"counterparty": f"'{WORD}'", "purpose": f"'{WORD}'", "reference": f"'{WORD}'"},
        rule="tax",
        dated="booked_on",
    ),
    table("bank_statements", "id digest account format period_from period_to imported_at imported_by name held"),
    table(
        "checkout_sessions",
        "id page client_id lines amount currency idempotency_key session_id payment_intent_id created_at expires_at"
        " completed_unpaid_at succeeded_at failed_at expired_at checked_at",
        rows=OF_CLIENTS,
        erased={"url": "NULL"},
    ),
    table(
        "reviews",
        "id invoice_id reason dedup_key opened_at resolved_at resolved_by",
        rows=OF_INVOICES,
        erased={"resolution": f"CASE WHEN resolution IS NOT NULL THEN '{WORD}' END"},
        mention="resolution details",
    ),
    table(
        "stripe_invoices",
        "invoice_id stripe_id livemode status amount_paid checked_at money_pending_at closing_at closed_at refused_at"
        " refusals partial_told_at",
        rows=OF_INVOICES,
    ),
    table("allocations", "fact_id invoice_id amount", rows=OF_INVOICES),
    table(
        "money_facts",
        "id provider provider_id kind amount currency client_id occurred_at recorded_at reverses targets problem"
        " voided_at actor",
        rows=OF_CLIENTS,
        kept={"note": "NULL"},
        rule="tax",
        dated="occurred_at::date",
    ),
    table(
        "invoice_documents",
        "invoice_id token name sha256 created_at created_by",
        rows=OF_INVOICES,
        kept={"content": ""},
        rule="tax",
        dated=ISSUED_ON,
        open_while=STILL_OPEN,
        is_deleted_at_term=True,
    ),
    table(
        "invoices",
        "id number client_id external_id currency amount_due amount_paid amount_remaining status money_state"
        " issued_on due_on token version schedule_name reminders_off_at paused_until amnesty_at autopay"
        " autopay_failed_at next_at created_at closed_at",
        rows=OF_CLIENTS,
        kept={"description": "NULL"},
        rule="tax",
        dated="issued_on",
        open_while="status IN ('draft', 'open')",
    ),
    table(
        "contacts",
        "id client_id role wrong_person_at created_at removed_at version",
        rows="id = ANY(:contacts)",
        erased={"name": f"'{WORD}'", "email": ADDRESS, "locale": "NULL", "timezone": "NULL"},
        secret={"token": RANDOM},
    ),
    table(
        "clients",
        "id locale timezone country schedule_name reminders_off_at paused_until autopay tolerance created_at version",
        rows="id = ANY(:clients)",
        erased={"name": f"'{WORD}'", "external_id": "NULL"},
    ),
    table(
        "invoice_index",
        "invoice_id client_id status money_state currency due_on amount_remaining amount_due number words",
    ),
    table("open_invoice_totals", "id currency due_on invoices amount"),
    table("import_mappings", "id kind name columns locale currency created_at updated_at created_by"),
    table("payment_behaviour", "client_id paid days_late days_late_before", rows=OF_CLIENTS),
    table("month_ends", "month currency receivable not_due over_90 sales received"),
    table("step_outcomes", "month step sent followed days"),
    table("promise_outcomes", "month kept partially_kept broken"),
    table("closed_months", "month closed_at is_settled"),
)
