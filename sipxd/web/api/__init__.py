"""``/sipxconfig/api``, sipXcom's newer REST (contract 8)."""
