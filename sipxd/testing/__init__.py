"""A public test kit: scripted phones, an in-memory network and a clock."""
