"""Plain domain types: who is there to call."""
