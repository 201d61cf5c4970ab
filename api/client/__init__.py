"""The Python client of the REST interface, for the machine itself and for servers alike."""

from api.client.client import Client

__all__ = ["Client"]
