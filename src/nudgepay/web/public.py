"""Every route that nobody signs in for, and nothing else. A route that is not here must be guarded."""

PUBLIC = frozenset(
    {
        "/livez",
        "/readyz",
        "/healthz",
        "/static/{name}",
        "/p/{token}",
        "/p/{token}/pay",
        "/p/{token}/receipt",
        "/p/{token}/paid",
        "/p/{token}/promise",
        "/p/{token}/dispute",
        "/p/{token}/wrong-person",
        "/u/{token}",
        "/s/{token}",
        "/d/{token}",
        "/webhooks/stripe",
        "/webhooks/mail",
        "/internal/run-reminders",
        "/login",
        "/join/{token}",
        "/outbox",
        "/outbox/{letter_id}",
        "/outbox/{letter_id}/html",
        "/outbox/{letter_id}/raw",
    }
)
"""The outbox pages exist only outside staging and production, while letters go to files."""
