//! Conformance of the queue seam.
