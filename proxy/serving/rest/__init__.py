"""The Quart application beside the MCP paths: operations, the REST API, and (from `pages`) the approval pages.

operations  health, metrics, the admin routes; builds the app      routes    the table of the REST API
views       from Quart to the handlers and back
executions, approvals, catalog   the handlers                      request   what a handler gets and answers
openapi     the OpenAPI document of the table
"""
