"""The HTTPS doors; the only package that imports klein.

A request passes ``channel`` (what one connection may cost), ``site`` (what is refused before
routing, and the routes), ``auth`` (who asks), then a module per group of resources, which turns
the request into a call of a service and its answer into bytes.  Errors of all of them are told in
one place, ``problems``.
"""
