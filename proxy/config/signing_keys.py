"""Keys that sign: PEM as people keep it in variables and files, and why one cannot be used.

A PEM in a variable often has its line breaks as `\\n`. `openssl ecparam -genkey` writes the parameters of the curve
before the key. SEC1 and PKCS8 are both read. Keys for ES256 are on P-256 and nothing else (RFC 7518 section 3.4).
"""

from __future__ import annotations

import re
from typing import Final

MIN_SECRET_BYTES: Final = 32
"""RFC 7518 section 3.2: a key of HS256 has at least as many bits as its hash."""

MAKE_SECRET: Final = "make one with `openssl rand -base64 32`"  # noqa: S105 - advice
MAKE_PAIR: Final = "make one with `openssl ecparam -name prime256v1 -genkey -noout -out private.pem`"
MAKE_PUBLIC: Final = "get it with `openssl ec -in private.pem -pubout -out public.pem`"
_PARAMETERS = re.compile(r"-----BEGIN EC PARAMETERS-----.*?-----END EC PARAMETERS-----\s*", re.DOTALL)


def clean_pem(text: str) -> str:
    """The key alone, with real line breaks."""
    return _PARAMETERS.sub("", text.replace("\\r", "").replace("\\n", "\n")).strip() + "\n"


def secret_problem(text: str) -> str | None:
    """Why a text is no secret for HS256, as half a sentence."""
    size = len(text.encode())
    return None if size >= MIN_SECRET_BYTES else f"has {size} bytes; HS256 needs at least {MIN_SECRET_BYTES}"


def private_key_problem(text: str) -> str | None:
    """Why a text is no private key for ES256, as half a sentence."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(clean_pem(text).encode(), None)
    except Exception:  # whatever is wrong with it, its text must not get into a message
        return "is no private key in PEM, or one with a password"
    return _curve_problem(key.curve.name if isinstance(key, EllipticCurvePrivateKey) else "")


def public_key_problem(text: str) -> str | None:
    """Why a text is no public key for ES256, as half a sentence."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(clean_pem(text).encode())
    except Exception:  # as above
        return "is no public key in PEM"
    return _curve_problem(key.curve.name if isinstance(key, EllipticCurvePublicKey) else "")


def _curve_problem(curve: str) -> str | None:
    if curve == "secp256r1":
        return None
    return (
        f"is on the curve {curve}; ES256 needs P-256" if curve else "is no key on a curve; ES256 needs P-256"
    )
