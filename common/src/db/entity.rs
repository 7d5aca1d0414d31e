//! Tables as sea-orm entities.
