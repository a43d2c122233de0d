"""Settings and their policy: the only reader of the environment.

Owns no table. May be called by every room; tells them by value, never by global.
"""

from nudgepay.config.problems import SettingProblem, SettingsValidationError
from nudgepay.config.settings import SECRETS, Resolver, Settings

__all__ = ["SECRETS", "Resolver", "SettingProblem", "Settings", "SettingsValidationError"]
