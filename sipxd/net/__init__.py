"""SIP over the network: transports, flows and the transaction runner, on Twisted."""
