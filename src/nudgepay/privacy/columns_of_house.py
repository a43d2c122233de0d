"""Those who work with it, and what the house writes down about itself."""

from nudgepay.privacy.judging import ADDRESS, table

OF_OPERATORS = "operator_id = ANY(:operators)"
ACTED = "SELECT 'operator:' || o FROM unnest(CAST(:operators AS bigint[])) o"
ANSWERED = (
    "SELECT 'contacts:' || k FROM unnest(CAST(:contacts AS bigint[])) k"
    " UNION ALL SELECT 'suppressions:' || s.id FROM suppressions s WHERE s.address = ANY(:addresses)"
    " OR s.address IN (SELECT erased_address(a) FROM unnest(CAST(:addresses AS text[])) a)"
    " UNION ALL SELECT 'promises:' || p.id FROM promises p JOIN invoices i ON i.id = p.invoice_id"
    " WHERE i.client_id = ANY(:clients)"
    " UNION ALL SELECT 'payment_claims:' || p.id FROM payment_claims p JOIN invoices i ON i.id = p.invoice_id"
    " WHERE i.client_id = ANY(:clients)"
    " UNION ALL SELECT 'disputes:' || d.id FROM disputes d JOIN invoices i ON i.id = d.invoice_id"
    " WHERE i.client_id = ANY(:clients)"
)

HOUSE = (
    table(
        "audit_events",
        "id at actor action subject before after",
        rows=f"actor IN ({ACTED}) OR (actor = 'payer' AND subject IN ({ANSWERED}))",
        origin="origin origin_salt origin_commitment",
    ),
    table("audit_seals", "seq event_id digest hash"),
    table("audit_checkpoints", "id seq count event_id settled_id head at key_id signature"),
    table(
        "sessions",
        "id operator_id started_at seen_at ends_at proven_at user_agent network",
        rows=OF_OPERATORS,
        secret={"token_hash": ""},
        is_deleted=True,
    ),
    table("saved_views", "id operator_id page name created_at query", rows=OF_OPERATORS, is_deleted=True),
    table("totp_factors", "operator_id last_step since", rows=OF_OPERATORS, secret={"secret": ""}, is_deleted=True),
    table(
        "recovery_codes",
        "id operator_id made_at used_at",
        rows=OF_OPERATORS,
        secret={"code_hash": ""},
        is_deleted=True,
    ),
    table(
        "known_devices",
        "id operator_id since seen_at ends_at",
        rows=OF_OPERATORS,
        secret={"token_hash": ""},
        is_deleted=True,
    ),
    table(
        "sign_in_limits",
        "scope key window_from window_count tries counted_at refused told told_at seen_at",
        rows="scope = 'account' AND key IN (SELECT 'operators:' || o FROM unnest(CAST(:operators AS bigint[])) o)",
        is_deleted=True,
    ),
    table(
        "operators",
        "id role disabled_at created_at created_by",
        rows="id = ANY(:operators)",
        erased={"email": ADDRESS, "locale": "NULL", "timezone": "NULL", "theme": "NULL"},
        secret={"password_hash": "'!'"},
    ),
    table(
        "invitations",
        "operator_id expires_at created_at created_by",
        rows=OF_OPERATORS,
        secret={"token_hash": ""},
        is_deleted=True,
    ),
    table(
        "service_tokens",
        "id prefix secret_hash pepper_id name scopes created_by created_at expires_at last_used_at"
        " revoked_at revoked_by",
    ),
    table(
        "approvals",
        "id kind act params digest state asked_by asked_at expires_at alone ready_at decided_by decided_at used_at"
        " used_by uses",
        mention="reason decision_reason",
    ),
    table("notices", "id kind dedup_key created_at resolved_at resolved_by", mention="details"),
    table("ledger_entries", "id kind name actor started_at ended_at outcome", mention="details"),
    table("schema_state", "id oldest_code"),
    table("erasures", "id erased_at actor client_ids contact_ids operator_ids kept_until counts"),
    table("erasure_key", "id inner outer"),
)
