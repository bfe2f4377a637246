"""The protocol over HTTP as a plain ASGI application."""
