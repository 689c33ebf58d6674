"""The SIP protocol, sans-IO: no module here imports Twisted, opens a socket or reads a clock."""
