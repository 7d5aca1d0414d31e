//! Fetching and refreshing a JWKS from a file or an address.
