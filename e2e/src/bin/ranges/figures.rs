//! What is counted, and the line that is printed of it. Pure but for the clock of the processor.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Of one response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) bytes: u64,
    /// From the first byte of the request to the first of the answer.
    pub(crate) first_byte: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Figures {
    bytes: u64,
    first_bytes_us: Vec<u64>,
}

impl Figures {
    pub(crate) fn count(&mut self, sample: Sample) {
        self.bytes += sample.bytes;
        self.first_bytes_us.push(u64::try_from(sample.first_byte.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, mut other: Self) {
        self.bytes += other.bytes;
        self.first_bytes_us.append(&mut other.first_bytes_us);
    }

    /// Throughput in GB/s (10⁹), time to first byte in ms at p50 and p99, number of responses, load of this process in %.
    pub(crate) fn line(mut self, elapsed: Duration, busy: f64) -> String {
        self.first_bytes_us.sort_unstable();
        let throughput = self.bytes as f64 / 1e9 / elapsed.as_secs_f64();
        let (p50, p99) = (percentile(&self.first_bytes_us, 50), percentile(&self.first_bytes_us, 99));
        let responses = self.first_bytes_us.len();
        format!("{throughput:.3} {:.3} {:.3} {responses} {:.0}", p50 as f64 / 1e3, p99 as f64 / 1e3, busy * 100.0)
    }
}

/// The smallest value that at least `percent` of all do not exceed; 0 of none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// What all threads of this process have worked so far.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_values_that_were_seen() {
        let sorted: Vec<u64> = (1..=200).collect();
        assert_eq!((percentile(&sorted, 50), percentile(&sorted, 99)), (100, 198));
        assert_eq!(percentile(&[7], 99), 7);
        assert_eq!(percentile(&[], 50), 0);
    }

    #[test]
    fn a_line_adds_up_all_connections() {
        let mut figures = Figures::default();
        for first_byte in [Duration::from_millis(1), Duration::from_millis(3)] {
            let mut one = Figures::default();
            one.count(Sample { bytes: 1_000_000_000, first_byte });
            figures.add(one);
        }
        assert_eq!(figures.line(Duration::from_secs(2), 0.5), "1.000 1.000 3.000 2 50");
    }
}
