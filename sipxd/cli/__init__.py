"""The sipxd command."""
