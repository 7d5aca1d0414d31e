//! The queue in Redis: sorted sets and hashes, one Lua script per transition.
