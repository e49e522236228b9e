"""OAuth 2.0 as a client: discovery, registration, authorization requests, tokens. The protocol; nothing is stored here.

Every request passes the guarded HTTP client: no redirect is followed, answers end at 256 KiB, and no credential of an
upstream goes along.
"""
