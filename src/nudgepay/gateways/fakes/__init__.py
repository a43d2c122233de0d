"""Protocol-true stand-ins that ship with the package, for the demo, drills and tests. Never for production."""
