"""Our own API; openapi.yaml beside this module is its contract."""
