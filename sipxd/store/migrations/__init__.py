"""The history of the tables, forward only; run by ``sipxd init`` through ``store.engine``."""
