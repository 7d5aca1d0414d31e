//! What a run was like, as text: the faults by kind and by what they hit, what clients heard, and what was broken.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use super::{Phase, Plan, audit::Findings, fault::Strike};

const PHASES: [Phase; 6] =
    [Phase::Idle, Phase::Queued, Phase::Streaming, Phase::Uploading, Phase::Encoding, Phase::Publishing];

#[derive(Debug)]
pub struct Report {
    plan: Plan,
    hits: BTreeMap<&'static str, BTreeMap<&'static str, usize>>,
    in_flight: usize,
    /// Faults that struck.
    pub faults: usize,
    pub lasted: Duration,
    /// Figures of the audit, in its order.
    pub figures: Vec<(&'static str, String)>,
    /// How often clients heard what.
    pub answers: BTreeMap<String, usize>,
    /// Promises that were not kept. Must be empty.
    pub broken: Vec<String>,
    /// Where what the processes printed was kept, when something was broken.
    pub logs: Option<PathBuf>,
}

impl Report {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            hits: BTreeMap::new(),
            in_flight: 0,
            faults: 0,
            lasted: Duration::ZERO,
            figures: Vec::new(),
            answers: BTreeMap::new(),
            broken: Vec::new(),
            logs: None,
        }
    }

    pub(super) fn strike(&mut self, strike: &Strike, phase: Phase) {
        *self.hits.entry(strike.kind()).or_default().entry(name(phase)).or_default() += 1;
        self.in_flight += usize::from(phase.is_in_flight());
        self.faults += 1;
    }

    pub(super) fn add(&mut self, found: Findings) {
        self.figures.extend(found.figures);
        self.broken.extend(found.broken);
    }

    /// Faults that hit work in flight, in percent.
    #[must_use]
    pub fn percent_in_flight(&self) -> usize {
        self.in_flight * 100 / self.faults.max(1)
    }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Queued => "queued",
        Phase::Streaming => "streaming",
        Phase::Uploading => "uploading",
        Phase::Encoding => "encoding",
        Phase::Publishing => "publishing",
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "chaos: seed {}, {} faults in {:.0?}", self.plan.seed, self.faults, self.lasted)?;
        write!(f, "{:32}", "fault")?;
        PHASES.iter().try_for_each(|phase| write!(f, "{phase:>11}"))?;
        writeln!(f)?;
        for (kind, hits) in &self.hits {
            write!(f, "{kind:32}")?;
            PHASES.iter().try_for_each(|phase| write!(f, "{:>11}", hits.get(name(*phase)).unwrap_or(&0)))?;
            writeln!(f)?;
        }
        writeln!(f, "work in flight was hit by {} % of them", self.percent_in_flight())?;
        self.figures.iter().try_for_each(|(what, figure)| writeln!(f, "{what}: {figure}"))?;
        self.answers.iter().try_for_each(|(answer, count)| writeln!(f, "{count:>7} × {answer}"))?;
        self.broken.iter().try_for_each(|what| writeln!(f, "BROKEN: {what}"))?;
        match &self.logs {
            Some(logs) => writeln!(f, "once more: make chaos CHAOS_SEED={}; logs: {}", self.plan.seed, logs.display()),
            None => Ok(()),
        }
    }
}
