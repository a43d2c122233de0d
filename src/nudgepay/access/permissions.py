"""What an operator may do: every permission, and every role as the set it holds. Deny by default."""

from enum import StrEnum


class Permission(StrEnum):
    """`resource:action`. Reading is apart from changing, and what sends or switches is apart from both."""

    TODAY_READ = "today:read"
    CLIENT_READ = "client:read"
    CLIENT_WRITE = "client:write"
    INVOICE_READ = "invoice:read"
    INVOICE_WRITE = "invoice:write"
    INVOICE_IMPORT = "invoice:import"
    BOOKS_EXPORT = "books:export"
    PAYMENT_WRITE = "payment:write"
    AMNESTY_RELEASE = "amnesty:release"
    PLAN_READ = "plan:read"
    LETTER_READ = "letter:read"
    LETTER_SEND = "letter:send"
    LETTER_RESOLVE = "letter:resolve"
    SCHEDULE_READ = "schedule:read"
    SCHEDULE_WRITE = "schedule:write"
    TEMPLATE_READ = "template:read"
    TEMPLATE_WRITE = "template:write"
    INSIGHT_READ = "insight:read"
    OPERATION_READ = "operation:read"
    NOTICE_RESOLVE = "notice:resolve"
    JOB_RUN = "job:run"
    SENDING_SWITCH = "sending:switch"
    SETTING_READ = "setting:read"
    AUDIT_READ = "audit:read"
    PRIVACY_EXPORT = "privacy:export"
    PRIVACY_ERASE = "privacy:erase"
    OPERATOR_READ = "operator:read"
    OPERATOR_WRITE = "operator:write"
    TOKEN_READ = "token:read"  # noqa: S105  # the name of a permission
    TOKEN_WRITE = "token:write"  # noqa: S105  # the name of a permission
    APPROVAL_READ = "approval:read"
    APPROVAL_DECIDE = "approval:decide"
    ACCOUNT_WRITE = "account:write"


class Role(StrEnum):
    """From those who look to those who may do everything. The auditor reads all and changes nothing."""

    VIEWER = "viewer"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    MANAGER = "manager"
    SUPERADMIN = "superadmin"


_P = Permission
_BOOKS = frozenset(
    {
        _P.TODAY_READ,
        _P.CLIENT_READ,
        _P.INVOICE_READ,
        _P.PLAN_READ,
        _P.LETTER_READ,
        _P.SCHEDULE_READ,
        _P.TEMPLATE_READ,
        _P.INSIGHT_READ,
        _P.ACCOUNT_WRITE,
    }
)
_EVERYTHING_READ = _BOOKS | {
    _P.OPERATION_READ,
    _P.SETTING_READ,
    _P.AUDIT_READ,
    _P.OPERATOR_READ,
    _P.TOKEN_READ,
    _P.APPROVAL_READ,
    _P.BOOKS_EXPORT,
}
_DAILY_WORK = _BOOKS | {
    _P.CLIENT_WRITE,
    _P.INVOICE_WRITE,
    _P.PAYMENT_WRITE,
    _P.LETTER_SEND,
    _P.LETTER_RESOLVE,
    _P.NOTICE_RESOLVE,
    _P.OPERATION_READ,
}
_MANAGEMENT = (
    _DAILY_WORK
    | _EVERYTHING_READ
    | {
        _P.INVOICE_IMPORT,
        _P.AMNESTY_RELEASE,
        _P.SCHEDULE_WRITE,
        _P.TEMPLATE_WRITE,
        _P.SENDING_SWITCH,
        _P.JOB_RUN,
        _P.PRIVACY_EXPORT,
        _P.APPROVAL_DECIDE,
    }
)

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _BOOKS,
    Role.AUDITOR: _EVERYTHING_READ,
    Role.OPERATOR: _DAILY_WORK,
    Role.MANAGER: _MANAGEMENT,
    Role.SUPERADMIN: frozenset(Permission),
}
