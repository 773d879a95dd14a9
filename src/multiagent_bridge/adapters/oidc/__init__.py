"""An issuer of bearer tokens (OpenID Connect, OAuth 2.1): its keys, and what it signed."""
