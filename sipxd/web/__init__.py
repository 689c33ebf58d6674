"""The HTTPS doors; the only package that imports klein."""
