"""sipxd: click-to-call and call forwarding for SIP telephones."""

__version__ = "0.1.0"
