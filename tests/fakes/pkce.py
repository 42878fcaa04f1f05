"""A verifier and its challenge, as a client of PKCE makes them."""

import base64
import hashlib

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
