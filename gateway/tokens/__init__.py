"""Signed tokens: Ed25519 keys, issuing, verifying, and the JWKS document by which others verify them."""
