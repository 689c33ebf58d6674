"""Branches: the places of a company (contract 4.6)."""

from __future__ import annotations

import attrs


@attrs.frozen
class Address:
    """A postal address; what is not known is empty."""

    street: str = ""
    city: str = ""
    country: str = ""
    state: str = ""
    zip: str = ""
    office_designation: str = ""


@attrs.frozen
class Branch:
    """A branch; its name is unique."""

    id: int
    name: str
    description: str = ""
    address: Address = Address()
    phone_number: str = ""
    fax_number: str = ""
