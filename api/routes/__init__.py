"""The routes: they read a request, call `api.service`, and say what OpenAPI needs to know."""
