"""A managed reference, `scheme://path[#key]`, and the one function that resolves it."""

from collections.abc import Mapping

from nudgepay.config import Resolver
from nudgepay.errors import UsageError


class UnresolvedReference(UsageError):
    """The reference cannot be resolved; the message is its cure and holds no value."""


def resolver(environ: Mapping[str, str]) -> Resolver:
    """A resolver for `env://NAME` over the given environment; other providers say that they are not here."""

    def resolve(reference: str) -> str:
        scheme, _, path = reference.partition("://")
        if scheme != "env":
            raise UnresolvedReference(f"This version resolves env:// and files; {scheme}:// is not supported yet")
        if path not in environ:
            raise UnresolvedReference(f"Set the environment variable {path}")
        return environ[path]

    return resolve
