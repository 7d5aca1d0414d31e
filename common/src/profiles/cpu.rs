//! Where computing time goes: while somebody waits, the kernel interrupts whoever computes a hundred times for each second computed, and the
//! stack is noted. Names are looked up afterwards.

use pprof_util::{StackProfile, WeightedStack};

use super::{Refusal, Watch};

/// A prime, so that what happens in turns is not always met at the same place.
const HERTZ: i32 = 99;
const NANOS: f64 = 1e9;
/// A signal there would wait for locks that the interrupted thread holds.
const NOT_IN: [&str; 4] = ["libc", "libgcc", "pthread", "vdso"];

pub(super) fn stacks(watch: &Watch) -> Result<StackProfile, Refusal> {
    let profiler = pprof::ProfilerGuardBuilder::default().frequency(HERTZ).blocklist(&NOT_IN).build();
    let profiler = profiler.map_err(Refusal::failed)?;
    watch.over()?;
    let seen = profiler.report().build_unresolved().map_err(Refusal::failed)?;
    drop(profiler);
    let mut stacks = StackProfile::default();
    mappings::MAPPINGS.iter().flatten().for_each(|mapping| stacks.push_mapping(mapping.clone()));
    for (frames, times) in seen.data {
        // Outermost first, as the heap's are; where the stack could not be followed there is a zero.
        let addrs = frames.frames.iter().rev().map(|frame| frame.ip() as usize).filter(|at| *at > 0).collect();
        let weight = times as f64 * NANOS / f64::from(HERTZ);
        stacks.push_stack(WeightedStack { addrs, weight }, None);
    }
    Ok(stacks)
}
