"""Every series on one page. No label ever carries an id, an address or a raw path."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

http_requests = Counter(
    "nudgepay_http_requests_total",
    "Requests answered, by method, route template and status",
    ["method", "route", "status"],
    registry=REGISTRY,
)
http_request_seconds = Histogram(
    "nudgepay_http_request_duration_seconds",
    "Seconds from the first byte of a request to its answer",
    ["method", "route"],
    registry=REGISTRY,
)
reminders = Counter(
    "nudgepay_reminders_total", "Reminders that reached a state", ["stage", "status"], registry=REGISTRY
)
letters = Counter("nudgepay_letters_total", "Letters that reached a state", ["state"], registry=REGISTRY)
emails = Counter("nudgepay_emails_total", "Answers of the mail transport", ["status"], registry=REGISTRY)
payments = Counter("nudgepay_payments_total", "Money facts booked", ["source"], registry=REGISTRY)
webhook_events = Counter(
    "nudgepay_webhook_events_total",
    "Inbound provider events, by what became of them",
    ["provider", "outcome"],
    registry=REGISTRY,
)
login_attempts = Counter(
    "nudgepay_login_attempts_total",
    "Tries to sign in, or to prove who one is, by what decided and how",
    ["factor", "result"],
    registry=REGISTRY,
)
login_throttle_events = Counter(
    "nudgepay_login_throttle_events_total",
    "What stood in the way of tries to sign in",
    ["event"],
    registry=REGISTRY,
)
automation_jobs = Counter(
    "nudgepay_automation_jobs_total", "Runs of scheduled jobs", ["job", "status"], registry=REGISTRY
)
automation_job_seconds = Histogram(
    "nudgepay_automation_job_duration_seconds", "Seconds a scheduled job took", ["job"], registry=REGISTRY
)
automation_last_success = Gauge(
    "nudgepay_automation_last_success_timestamp_seconds",
    "When the job last succeeded, in seconds since 1970 UTC",
    ["job"],
    registry=REGISTRY,
)
audit_sealed = Counter(
    "nudgepay_audit_records_sealed_total", "Records of the audit log that joined the chain", registry=REGISTRY
)
audit_checkpoint = Gauge(
    "nudgepay_audit_checkpoint_timestamp_seconds",
    "When this process last wrote down where the chain stands, in seconds since 1970 UTC",
    registry=REGISTRY,
)
