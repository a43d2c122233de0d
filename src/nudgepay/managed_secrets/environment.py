"""The resolver that edges use."""

from nudgepay.config import Resolver
from nudgepay.config.environment import process_environment
from nudgepay.managed_secrets.refs import resolver


def resolver_from_environment() -> Resolver:
    """Resolves references with what this process was given."""
    return resolver(process_environment())
