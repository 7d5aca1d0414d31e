//! Which processes have a metric.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Gateway,
    Worker,
    /// `reelgate all`; of a metric: gateways and workers.
    Both,
}

impl Role {
    /// Whether a process of this role has what is of that one.
    #[must_use]
    pub fn has(self, of: Self) -> bool {
        self == of || self == Self::Both || of == Self::Both
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gateway => "gateway",
            Self::Worker => "worker",
            Self::Both => "both",
        })
    }
}
