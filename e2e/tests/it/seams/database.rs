//! Conformance of the database seam.
