"""Words for settings: what the main ones are called, where a value can come from, how the rest is grouped."""

from nudgepay.web.ui.words import N_

SOURCES: dict[str, str] = {
    "environment": N_("Environment"),
    "file": N_("File"),
    "reference": N_("Managed reference"),
    "default": N_("Default"),
    "unset": N_("Not set"),
}

MAIN: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        N_("Your business"),
        N_("Who writes, as it stands in letters and on the payers' pages."),
        (
            ("business_name", N_("Name"), ""),
            ("business_address", N_("Address"), N_("At the foot of letters; many countries demand it.")),
            ("business_iban", N_("IBAN"), N_("Where transfers go; the payers' pages show it with a QR code.")),
            ("business_bic", N_("BIC"), N_("Only where the payer's bank asks for it.")),
        ),
    ),
    (
        N_("Language and place"),
        N_("For you, and for clients of whom nothing else is known."),
        (
            ("business_timezone", N_("Time zone"), ""),
            ("business_locale", N_("Language"), N_("For readers whose own language is not complete.")),
            ("business_country", N_("Country"), N_("Whose public holidays count for clients without a country.")),
        ),
    ),
    (
        N_("When letters go"),
        N_("Limits that no letter crosses, whoever asks for it."),
        (
            ("sending_hours", N_("Sending hours"), N_("In the reader's own zone, on working days.")),
            ("contact_gap_days", N_("Contact gap"), N_("Whole days between two letters to one person.")),
            (
                "sending_lease_seconds",
                N_("Lease"),
                N_("Seconds for which a worker may hold a letter before another looks after it."),
            ),
        ),
    ),
    (
        N_("Telling you"),
        N_("What comes to your own mailbox."),
        (
            ("digest_recipients", N_("Digest to"), N_("Without it the digest goes to ADMIN_EMAIL.")),
            ("digest_at", N_("Digest at"), N_("In your time zone; “off” for never.")),
            ("copy_first_letters", N_("First letters copied"), N_("So that you see what your clients see.")),
        ),
    ),
)
"""Sections of the first page: title, lead, and (setting, label, hint)."""

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        N_("Installation"),
        (
            "environment",
            "base_url",
            "database_url",
            "redis_url",
            "nudgepay_home",
            "log_level",
            "trusted_proxies",
            "allowed_hosts",
            "metrics_host",
            "metrics_port",
            "worker_poll_seconds",
            "worker_stop_seconds",
            "ready_backlog_minutes",
        ),
    ),
    (
        N_("Signing in"),
        (
            "session_secret",
            "csrf_secret",
            "cron_hmac_secret",
            "service_token_pepper",
            "admin_email",
            "admin_password_hash",
            "admin_credentials",
            "admin_totp_secret",
            "session_https_only",
            "session_cookie_same_site",
            "session_idle_minutes",
            "session_absolute_hours",
            "login_rate_limit_attempts",
            "login_rate_limit_window_seconds",
            "login_rate_limit_block_seconds",
        ),
    ),
    (
        N_("Mail"),
        (
            "mail_transport",
            "smtp_host",
            "smtp_port",
            "smtp_security",
            "smtp_username",
            "smtp_password",
            "smtp_pool_size",
            "smtp_timeout_seconds",
            "smtp_receipts",
            "smtp_idempotency_header",
            "bounce_mailbox",
            "mail_webhook_secret",
            "from_email",
            "reply_to",
            "dkim_domain",
            "dkim_selector",
            "dkim_key_file",
            "dns_servers",
        ),
    ),
    (N_("Card payments"), ("stripe_secret_key", "stripe_webhook_secret", "stripe_account", "stripe_api_base")),
    (
        N_("Letters and messages"),
        (
            "invoice_pdfs",
            "thank_you_letters",
            "digest_recipients",
            "digest_at",
            "copy_first_letters",
            "copy_letters_to",
            "sending_hours",
            "contact_gap_days",
            "sending_lease_seconds",
        ),
    ),
    (
        N_("Business"),
        (
            "business_name",
            "business_address",
            "business_timezone",
            "business_locale",
            "business_country",
            "business_iban",
            "business_bic",
        ),
    ),
)
"""Every setting, by what it is about; those in no group come last by themselves."""
OTHERS = N_("Others")
TABS = (
    ("/settings", N_("Business")),
    ("/settings/sender", N_("Sender")),
    ("/settings/stripe", N_("Card payments")),
    ("/settings/all", N_("Every setting")),
    ("/settings/first-steps", N_("First steps")),
)
