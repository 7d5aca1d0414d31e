//! Where in the object a connection asks next. Pure.

use crate::Arguments;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Order {
    /// Anywhere, aligned to the range's size, again and again.
    Random,
    /// Each connection through a part of its own, as viewers do; nothing is asked for twice, and the end is the end.
    Walk,
}

pub(crate) struct Places {
    order: Order,
    range: u64,
    slots: u64,
    /// Of the walk: the next slot, and where this connection's part ends.
    next: u64,
    end: u64,
    state: u64,
}

impl Places {
    pub(crate) fn new(arguments: &Arguments, number: u64) -> Self {
        let &Arguments { order, range, span, connections, .. } = arguments;
        let slots = span / range;
        let part = slots / connections;
        let state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { order, range, slots, next: number * part, end: (number + 1) * part, state }
    }

    /// xorshift64 (Marsaglia): enough to be everywhere, and the same in every run.
    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}

impl Iterator for Places {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let slot = match self.order {
            Order::Random => self.random() % self.slots,
            Order::Walk if self.next == self.end => return None,
            Order::Walk => {
                self.next += 1;
                self.next - 1
            }
        };
        Some(slot * self.range)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser;

    use super::*;

    fn arguments(order: &str) -> Arguments {
        let text = ["ranges", "http://h/", "--range=10", "--span=1000", "--connections=4", "--order", order];
        Arguments::parse_from(text)
    }

    #[test]
    fn a_walk_asks_for_nothing_twice_and_leaves_nothing_out() {
        let arguments = arguments("walk");
        let places: Vec<u64> = (0..4).flat_map(|number| Places::new(&arguments, number)).collect();
        assert_eq!(places, (0..100).map(|slot| slot * 10).collect::<Vec<_>>());
    }

    #[test]
    fn random_places_are_aligned_within_the_span_and_everywhere() {
        let arguments = arguments("random");
        let places: BTreeSet<u64> = Places::new(&arguments, 0).take(2_000).collect();
        assert_eq!(places.len(), 100);
        assert!(places.iter().all(|place| place % 10 == 0 && *place < 1_000));
    }
}
