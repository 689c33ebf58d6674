"""What a call is, sans-IO: search, bridge, click-to-call, dial policy and call record."""
