"""The two families of errors: what a caller did wrong, and what the world outside did."""


class NudgePayError(Exception):
    """A refusal with a cause a person can act on. `status` is its HTTP status, `exit_code` its shell code."""

    status = 400
    exit_code = 1


class UsageError(NudgePayError):
    """The request or the configuration is wrong."""

    status = 422
    exit_code = 2


class NotFound(NudgePayError):
    """Nothing here has that name."""

    status = 404
    exit_code = 2


class Conflict(NudgePayError):
    """Somebody else changed the same thing first."""

    status = 409
    exit_code = 1


class Refused(NudgePayError):
    """Refused for safety."""

    status = 409
    exit_code = 3


class Busy(NudgePayError):
    """Another run holds the work; try later."""

    status = 503
    exit_code = 75


class OperationalError(NudgePayError):
    """Expected trouble outside: retried, counted, warned about; never a bug."""

    status = 503
    exit_code = 1
