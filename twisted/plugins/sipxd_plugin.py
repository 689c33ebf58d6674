"""Makes ``twistd sipxd`` known to Twisted; the service itself is in :mod:`sipxd.tap`."""

from twisted.application.service import ServiceMaker

sipxd = ServiceMaker("sipxd", "sipxd.tap", "Click-to-call and call forwarding for SIP", "sipxd")
