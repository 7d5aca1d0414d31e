//! The in-process queue of `reelgate all`.
