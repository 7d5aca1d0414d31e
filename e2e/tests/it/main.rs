//! Whole-system tests. `seams` holds the conformance suites, one per seam, each run on every backend.

mod harness;
mod seams;
