//! The S3 backend: `object_store` over our own hyper connector.
