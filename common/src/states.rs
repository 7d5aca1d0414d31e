//! What may become of an upload, a file and a job: one machine each, `transition(state, event) -> Result<state, Refused>`, without
//! clock, database or queue. The database's helpers ask these before they write; the model check walks through the same
//! code, and `docs/job-states.md` is made from it.

pub mod delivery;
pub mod file;
pub mod job;
#[cfg(test)]
mod model;
#[cfg(test)]
mod page;
pub mod resumable;
pub mod upload;
