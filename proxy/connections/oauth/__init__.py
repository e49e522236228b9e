"""Upstream OAuth: whose tokens a connection has, how they are kept fresh, and how somebody signs in.

Tokens live in the state store, sealed; every replica reads them there. `tokens` keeps them fresh, one replica at a
time; `sign_in` gets the first one. The protocol itself is in `integrations.oauth`.
"""
