"""Where each setting's value came from. Says nothing of a secret but that it is there."""

from typing import Literal

from pydantic import SecretStr

from nudgepay.config.settings import SECRETS, Settings

Source = Literal["environment", "file", "reference", "default", "unset"]
INTERNAL = frozenset({"references", "plain_secrets", "source_problems"})
"""Fields that are no settings."""


def source_of(settings: Settings, name: str) -> Source:
    """How the setting (by attribute name) came here; `unset` for one that has no value or an empty one."""
    if name in settings.references:
        return "reference"
    if name in settings.plain_secrets:
        return "environment"
    if getattr(settings, name) in (None, ""):
        return "unset"
    if name not in settings.model_fields_set:
        return "default"
    return "file" if name in SECRETS else "environment"


def shown_value(settings: Settings, name: str) -> str | None:
    """The value as a person may read it; None for a secret and for one that is not set."""
    value = getattr(settings, name)
    if name in SECRETS or value is None or isinstance(value, SecretStr):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
