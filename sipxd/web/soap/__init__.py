"""``/sipxconfig/services``: the SOAP services of sipXcom (contract 11)."""
