"""Everything HTTP: the payer's pages, inbound hooks, probes. The only room that knows the framework."""
