//! Counters of what every range counts. Where all threads add to one number they wait for each other, at each range: 3 % of the time
//! at 256 connections (`docs/bench.md`). So each adds to a place of its own, and the places are added up when somebody reads.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use metrics::{Counter, CounterFn};

/// More threads than these share places.
const PLACES: usize = 16;

static ALL: Mutex<Vec<Weak<Tally>>> = Mutex::new(Vec::new());

/// As long as a line of the processor's cache: threads wait for each other's lines, not numbers.
#[derive(Default)]
#[repr(align(64))]
struct Place(AtomicU64);

struct Tally {
    counter: Counter,
    places: [Place; PLACES],
}

/// Counts for `counter`, which hears of it when `tell` is called, or when nobody counts any more.
pub(crate) fn spread(counter: Counter) -> Counter {
    let tally = Arc::new(Tally { counter, places: Default::default() });
    all().push(Arc::downgrade(&tally));
    Counter::from_arc(tally)
}

/// Brings all counters up to date; called before they are read.
pub fn tell() {
    all().retain(|tally| tally.upgrade().inspect(|tally| tally.tell()).is_some());
}

fn all() -> MutexGuard<'static, Vec<Weak<Tally>>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tally {
    fn tell(&self) {
        let sum = self.places.iter().map(|place| place.0.swap(0, Relaxed)).sum();
        if sum > 0 {
            self.counter.increment(sum);
        }
    }
}

impl CounterFn for Tally {
    fn increment(&self, value: u64) {
        self.places[place()].0.fetch_add(value, Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.counter.absolute(value);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.tell();
    }
}

/// This thread's.
fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Relaxed) % PLACES;
    }
    OWN.with(|own| *own)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[derive(Default)]
    struct Heard(AtomicU64);

    impl CounterFn for Heard {
        fn increment(&self, value: u64) {
            self.0.fetch_add(value, Relaxed);
        }

        fn absolute(&self, value: u64) {
            self.0.store(value, Relaxed);
        }
    }

    #[test]
    fn what_many_threads_counted_is_told_once() {
        let heard = Arc::new(Heard::default());
        let counter = spread(Counter::from_arc(heard.clone()));
        thread::scope(|scope| {
            for _ in 0..3 * PLACES {
                scope.spawn(|| (0..1_000).for_each(|_| counter.increment(1)));
            }
        });
        assert_eq!(heard.0.load(Relaxed), 0, "nobody asked");
        tell();
        tell();
        assert_eq!(heard.0.load(Relaxed), 3_000 * PLACES as u64);
        counter.increment(5);
        drop(counter);
        assert_eq!(heard.0.load(Relaxed), 3_000 * PLACES as u64 + 5, "told at the end, too");
    }
}
