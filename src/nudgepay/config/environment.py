"""The process environment, for the one provider that reads it by name."""

import os
from collections.abc import Mapping


def process_environment() -> Mapping[str, str]:
    """The live environment; handed to the `env://` provider by the edge."""
    return os.environ
