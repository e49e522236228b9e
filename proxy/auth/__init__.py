"""Who calls: keys by hash, tokens of authorization servers, the local bearer tokens, anonymous callers."""

from proxy.auth.authenticate import Authenticator, AuthMode
from proxy.auth.configured import key_records, oauth_callers, page_issuers, signed_keys
from proxy.auth.create import create_key
from proxy.auth.errors import AuthError
from proxy.auth.issuer import IssuerSource
from proxy.auth.keys import Expired, KeyRecord, Keyring, hash_key
from proxy.auth.local import APPROVER_ACCOUNT, LocalTokenError, approver_token, local_token, read_token
from proxy.auth.oauth import IssuerPool, OauthCallers
from proxy.auth.request import AuthRequest, named_workspace
from proxy.auth.roles import RoleGroups
from proxy.auth.signed_keys import SignedCredential, SignedKeys

__all__ = [
    "APPROVER_ACCOUNT",
    "AuthError",
    "AuthMode",
    "AuthRequest",
    "Authenticator",
    "Expired",
    "IssuerPool",
    "IssuerSource",
    "KeyRecord",
    "Keyring",
    "LocalTokenError",
    "OauthCallers",
    "RoleGroups",
    "SignedCredential",
    "SignedKeys",
    "approver_token",
    "create_key",
    "hash_key",
    "key_records",
    "local_token",
    "named_workspace",
    "oauth_callers",
    "page_issuers",
    "read_token",
    "signed_keys",
]
