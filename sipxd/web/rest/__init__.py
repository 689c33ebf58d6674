"""The resources under /sipxconfig/rest, as sipXcom's clients know them."""
