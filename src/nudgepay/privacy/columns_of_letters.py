"""What was written to people, and what they answered."""

from nudgepay.privacy.columns_of_books import OF_INVOICES
from nudgepay.privacy.judging import ADDRESS, WORD, table

OF_LETTERS = "contact_id = ANY(:contacts) OR client_id = ANY(:clients)"
ABOUT_LETTERS = f"details->>'letter_id' IN (SELECT l.id::text FROM letters l WHERE {OF_LETTERS})"  # noqa: S608  # constants
REPLACED = (
    f"convert_to('Message-ID: ' || message_id || E'\\r\\nSubject: {WORD}\\r\\nContent-Type: text/plain; charset=utf-8"
    f"\\r\\n\\r\\n{WORD} on ' || :day || E'.\\r\\nSHA-256 of what was written: ' || encode(sha256(mime), 'hex')"
    " || E'\\r\\n', 'UTF8')"
)
"""A message without what it said: its name stays, and proof for whoever has kept it."""
ONCE = f"CASE WHEN subject IS DISTINCT FROM '{WORD}' AND mime IS NOT NULL THEN {REPLACED} ELSE mime END"

LETTERS = (
    table(
        "mailings",
        "id kind client_id contact_id token n message_id state reason look_at attempts fence lease_until created_at"
        " sending_at accepted_at settled_at",
        rows=f"{OF_LETTERS} OR lower(to_address) = ANY(:addresses) OR {ABOUT_LETTERS}",
        erased={
            "to_address": ADDRESS,
            "dedup_key": "CASE kind WHEN 'digest' THEN 'erased:' || id ELSE dedup_key END",
            "details": "details - 'subject' - 'body' - 'text'",
            "mime": ONCE,
            "subject": f"'{WORD}'",
            "reply": "NULL",
        },
    ),
    table(
        "letters",
        "id client_id contact_id run_id currency amount locale n message_id token state template language"
        " text_version created_at looked_at sending_at lease_until fence accepted_at settled_at",
        rows=OF_LETTERS,
        erased={"to_address": ADDRESS, "mime": ONCE, "subject": f"'{WORD}'", "reply": "NULL"},
    ),
    table(
        "reminders",
        "id invoice_id client_id step schedule_version nudge_key gap_overridden_by state reason held_reason"
        " held_until due_at look_at reviewed_at reviewed_by letter_id fence lease_until attempts"
        " created_at updated_at",
        rows="client_id = ANY(:clients)",
        erased={"error": "NULL"},
        mention="error",
    ),
    table(
        "disputes",
        "id invoice_id amount source opened_at resolved_at resolved_by",
        rows=OF_INVOICES,
        erased={
            "message": f"CASE WHEN message IS NOT NULL THEN '{WORD}' END",
            "resolution": f"CASE WHEN resolution IS NOT NULL THEN '{WORD}' END",
        },
        mention="message resolution",
    ),
    table(
        "promises",
        "id invoice_id promised_on amount baseline_paid grace_days state source made_at settled_at",
        rows=OF_INVOICES,
    ),
    table("payment_claims", "id invoice_id claimed_at until source settled_at", rows=OF_INVOICES),
    table(
        "suppressions",
        "id reason source created_at lifted_at lifted_by",
        rows="address = ANY(:addresses)",
        erased={"address": "erased_address(address)", "lift_reason": "NULL"},
        mention="lift_reason",
    ),
    table("runs", "id now started_at ended_at counts"),
    table("schedules", "id name version created_at created_by retired_at"),
    table(
        "schedule_steps",
        "schedule_id position code anchor offset_days business_days template tone minimum_remaining review",
    ),
    table("closing_days", "day name created_at created_by"),
    table("letter_texts", "template language version"),
    table(
        "letter_text_versions",
        "template language version subject body restored_from created_at created_by",
    ),
    table("sending_switch", "id paused_at reason changed_by changed_at restored_at"),
    table("cron_signatures", "id signature seen_at"),
)
