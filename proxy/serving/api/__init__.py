"""The REST API: `{error: {code, message}}`, camelCase, described by `/api/openapi.json`.

front       caller, rate limit, body          routes      the table
views       Quart to handlers and back        document    the OpenAPI document
executions, decisions, catalog                the handlers
"""

from proxy.serving.api.front import ApiFront, is_api
from proxy.serving.api.routes import OPEN_PATHS
from proxy.serving.api.views import add_api

__all__ = ["OPEN_PATHS", "ApiFront", "add_api", "is_api"]
