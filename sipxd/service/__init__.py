"""The use-cases, and the live tables they work on."""
