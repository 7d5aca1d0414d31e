//! The directory backend: plain files, written beside their name, synced, then renamed.
