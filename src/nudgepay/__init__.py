"""NudgePay gets small businesses paid, and falls silent the moment there is nothing left to claim."""

__version__ = "0.2.0.dev0"
