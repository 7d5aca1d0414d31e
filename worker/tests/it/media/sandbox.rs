//! The real program, shut in: it tries to get out, and does its work all the same.

use std::path::Path;

use reelgate_worker::task::protocol::{Event, Request};

use super::child::run;

#[test]
fn a_task_cannot_open_connect_or_run_anything() {
    let said = run(&Request::Trial, Path::new("/dev/null"));
    let [Event::Tried(trial), Event::Done] = said.events.as_slice() else { panic!("{:?}", said.events) };
    assert!(trial.walls.landlock.is_some() && trial.walls.seccomp, "{:?}", trial.walls);
    assert_eq!(trial.walls.missing, [""; 0]);
    for attempt in &trial.attempts {
        assert!(attempt.as_it_should(), "{attempt:?}");
    }
    let refused = |what: &str| trial.attempts.iter().any(|attempt| attempt.what == what && attempt.refused);
    for what in ["read a file beside its folder", "open a UDP socket", "connect over TCP", "become another program"] {
        assert!(refused(what), "{what}");
    }
}
