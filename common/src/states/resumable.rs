//! Who may write an upload that goes on after its connection has broken. One at a time: each who begins gets a number one above
//! the last, and only who has the current number may say that bytes are stored.

/// The part of its row that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResumableView {
    pub fence: i64,
    /// Somebody has it.
    pub held: bool,
    /// Somebody else waits for it.
    pub wanted: bool,
    /// All was stored, and made a file of.
    pub finished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResumableEvent {
    /// Another request wants to go on.
    Claim,
    /// It has waited long enough: who has it is dead, or as good as dead.
    Force,
    /// Who has it has stored more.
    Advance(i64),
    /// It has stored more, and lets go.
    Release(i64),
    Finish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Somebody has it, and hears that it is wanted.
    Held,
    /// Somebody else has it by now: nothing may be written.
    TakenOver,
    Finished,
}

/// # Errors
/// Nothing may be written, but that it is wanted.
pub const fn transition(view: ResumableView, event: ResumableEvent) -> Result<ResumableView, Denied> {
    if view.finished {
        return Err(Denied::Finished);
    }
    match event {
        ResumableEvent::Claim if view.held => Err(Denied::Held),
        ResumableEvent::Claim | ResumableEvent::Force => {
            Ok(ResumableView { fence: view.fence + 1, held: true, wanted: false, finished: false })
        }
        ResumableEvent::Advance(fence) if view.held && fence == view.fence => Ok(view),
        ResumableEvent::Release(fence) if view.held && fence == view.fence => {
            Ok(ResumableView { held: false, wanted: false, ..view })
        }
        ResumableEvent::Advance(_) | ResumableEvent::Release(_) => Err(Denied::TakenOver),
        ResumableEvent::Finish => Ok(ResumableView { held: false, wanted: false, finished: true, ..view }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: ResumableView = ResumableView { fence: 0, held: false, wanted: false, finished: false };

    #[test]
    fn of_two_one_writes() {
        let first = transition(FREE, ResumableEvent::Claim).unwrap();
        assert_eq!(transition(first, ResumableEvent::Claim), Err(Denied::Held));
        let second = transition(first, ResumableEvent::Force).unwrap();
        for late in [ResumableEvent::Advance(first.fence), ResumableEvent::Release(first.fence)] {
            assert_eq!(transition(second, late), Err(Denied::TakenOver));
        }
        assert_eq!(transition(second, ResumableEvent::Advance(second.fence)), Ok(second));
    }

    #[test]
    fn who_has_let_go_writes_no_more() {
        let held = transition(FREE, ResumableEvent::Claim).unwrap();
        let free = transition(held, ResumableEvent::Release(held.fence)).unwrap();
        assert!(!free.held);
        assert_eq!(transition(free, ResumableEvent::Advance(held.fence)), Err(Denied::TakenOver));
    }

    #[test]
    fn nothing_leads_out_of_the_end() {
        let held = transition(FREE, ResumableEvent::Claim).unwrap();
        let over = transition(held, ResumableEvent::Finish).unwrap();
        for event in [
            ResumableEvent::Claim,
            ResumableEvent::Force,
            ResumableEvent::Advance(held.fence),
            ResumableEvent::Release(held.fence),
            ResumableEvent::Finish,
        ] {
            assert_eq!(transition(over, event), Err(Denied::Finished));
        }
    }

    /// Every sequence of so many events: a number is given out once.
    #[test]
    fn each_who_begins_has_a_number_of_its_own() {
        fn walk(view: ResumableView, given: &[i64], left: usize) {
            if left == 0 {
                return;
            }
            let late = given.iter().flat_map(|&fence| [ResumableEvent::Advance(fence), ResumableEvent::Release(fence)]);
            for event in late.chain([ResumableEvent::Claim, ResumableEvent::Force]) {
                let Ok(next) = transition(view, event) else { continue };
                let mut given = given.to_vec();
                if matches!(event, ResumableEvent::Claim | ResumableEvent::Force) {
                    assert!(!given.contains(&next.fence));
                    given.push(next.fence);
                } else {
                    assert_eq!(given.last(), Some(&view.fence), "only the last one moves it");
                }
                walk(next, &given, left - 1);
            }
        }
        walk(FREE, &[], 6);
    }
}
