//! Conformance of the storage seam.
