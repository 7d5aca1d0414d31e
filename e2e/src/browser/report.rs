//! What a viewer would have seen, as the stage's script has written it down, and what is wrong with it. Pure. The machine of the
//! tests may be busy, so nothing is judged by how long it took: what counts is whether the film was there and was all shown.

use serde::Deserialize;

/// How far a single picture may be from its moment, and a jump from its target, in seconds.
const OFF: f64 = 0.2;
/// A film may wait for its data at its start and this long after a jump, in seconds.
const SETTLES: f64 = 2.0;
/// With this much of the film there without a hole, in seconds, it does not wait for the server.
const ENOUGH: f64 = 0.5;
/// How late the first picture after a jump may be seen: the page hears of one picture for several when it is busy.
const LANDED_LATE: f64 = 1.0;

/// Times are seconds of the film unless they say `wall`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Report {
    pub duration: f64,
    pub ended: bool,
    /// Pictures that the page heard of.
    pub frames: u64,
    pub waits: Vec<Wait>,
    /// More than 0.2 s of the film of which no picture was seen, however often it was looked at.
    pub gaps: Vec<Step>,
    /// Steps back, and jumps that nobody has asked for: so players get over holes.
    pub jumps: Vec<Step>,
    pub pictures: Vec<Picture>,
    pub seeks: Vec<Seek>,
    /// Of the picture, each time that it changed.
    pub heights: Vec<u32>,
    /// Fatal ones of the player, and of the page.
    pub errors: Vec<String>,
}

/// A `waiting` event.
#[derive(Debug, Clone, Deserialize)]
pub struct Wait {
    pub at: f64,
    /// How far the film was there.
    pub ahead: f64,
    /// What was played since the last jump, or the start.
    pub since_seek: f64,
    pub since_seek_wall: f64,
}

/// From one picture to the next.
#[derive(Debug, Clone, Deserialize)]
pub struct Step {
    /// Nothing in the middle of another jump.
    pub from: Option<f64>,
    pub to: f64,
}

/// A picture and the number that is drawn into it.
#[derive(Debug, Clone, Deserialize)]
pub struct Picture {
    pub time: f64,
    pub number: u32,
}

/// Where a jump was to go, and the time of the first picture after it.
#[derive(Debug, Clone, Deserialize)]
pub struct Seek {
    pub target: f64,
    pub landed: f64,
}

impl Report {
    /// Of a film whose frames bear no numbers.
    #[must_use]
    pub fn without_numbers(self) -> Self {
        Self { pictures: Vec::new(), ..self }
    }

    /// Everything that a viewer could complain of, of a film with this many frames per second.
    #[must_use]
    pub fn complaints(&self, rate: f64) -> Vec<String> {
        let errors = self.errors.iter().cloned();
        let waits = self.waits.iter().filter(|wait| wait.is_for_the_server()).map(|wait| format!("waits: {wait:?}"));
        let gaps = self.gaps.iter().map(|gap| format!("film missing: {gap:?}"));
        let jumps = self.jumps.iter().map(|jump| format!("jumps by itself: {jump:?}"));
        let pictures = self.pictures.iter().filter(|picture| picture.is_misplaced(rate));
        let pictures = pictures.map(|picture| format!("wrong picture: {picture:?} at {rate} frames per second"));
        let seeks = self.seeks.iter().filter(|seek| seek.is_missed()).map(|seek| format!("missed: {seek:?}"));
        let shifted = self.is_shifted(rate).then(|| "most pictures are not those of their moment".to_owned());
        errors.chain(waits).chain(gaps).chain(jumps).chain(pictures).chain(seeks).chain(shifted).collect()
    }

    /// Single pictures may be read late; when most of them are, the whole film is shown at the wrong times.
    fn is_shifted(&self, rate: f64) -> bool {
        let exact = self.pictures.iter().filter(|picture| picture.late(rate).abs() * rate < 0.5).count();
        exact * 2 < self.pictures.len()
    }
}

impl Wait {
    /// With film ahead it waits for a processor. After a jump both clocks count: the viewer's, and on a busy machine the
    /// film's, for there seconds go by before anything is shown.
    fn is_for_the_server(&self) -> bool {
        self.since_seek > SETTLES && self.since_seek_wall > SETTLES && self.ahead < ENOUGH
    }
}

impl Picture {
    /// The page reads the picture of the moment, which may be a little later than the one that it was told of.
    fn is_misplaced(&self, rate: f64) -> bool {
        self.late(rate).abs() > OFF
    }

    fn late(&self, rate: f64) -> f64 {
        f64::from(self.number) / rate - self.time
    }
}

impl Seek {
    fn is_missed(&self) -> bool {
        !(self.target - OFF..=self.target + LANDED_LATE).contains(&self.landed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(since_seek: f64, since_seek_wall: f64, ahead: f64) -> Report {
        Report { waits: vec![Wait { at: 9.0, ahead, since_seek, since_seek_wall }], ..Report::default() }
    }

    #[test]
    fn waiting_in_the_middle_for_film_that_is_not_there_is_wrong() {
        assert_eq!(wait(5.0, 5.0, 0.0).complaints(30.0).len(), 1);
    }

    #[test]
    fn waiting_after_a_jump_or_with_film_ahead_is_not() {
        assert_eq!(wait(0.5, 9.0, 0.0).complaints(30.0).len(), 0);
        assert_eq!(wait(3.0, 1.0, 0.0).complaints(30.0).len(), 0);
        assert_eq!(wait(5.0, 5.0, 3.0).complaints(30.0).len(), 0);
    }

    #[test]
    fn film_that_was_never_seen_and_jumps_of_the_player_are_wrong() {
        let step = || vec![Step { from: Some(4.0), to: 4.5 }];
        assert_eq!(Report { gaps: step(), ..Report::default() }.complaints(30.0).len(), 1);
        assert_eq!(Report { jumps: step(), ..Report::default() }.complaints(30.0).len(), 1);
    }

    fn shown(pictures: &[(f64, u32)]) -> Vec<String> {
        let pictures = pictures.iter().map(|&(time, number)| Picture { time, number }).collect();
        Report { pictures, ..Report::default() }.complaints(30.0)
    }

    #[test]
    fn a_picture_of_another_moment_is_wrong() {
        assert_eq!(shown(&[(2.0, 60), (3.0, 90)]).len(), 0);
        assert_eq!(shown(&[(2.0, 70), (3.0, 90)]).len(), 1);
    }

    #[test]
    fn a_picture_read_a_little_late_is_not_but_most_of_them_are() {
        assert_eq!(shown(&[(2.0, 62), (3.0, 90)]).len(), 0);
        assert_eq!(shown(&[(2.0, 62), (3.0, 92)]).len(), 1, "two frames late, as a forgotten reorder delay makes it");
    }

    #[test]
    fn a_jump_that_ends_elsewhere_is_wrong() {
        let jumped = |landed| Report { seeks: vec![Seek { target: 8.0, landed }], ..Report::default() };
        assert_eq!(jumped(8.02).complaints(30.0).len(), 0);
        assert_eq!(jumped(6.0).complaints(30.0).len(), 1);
        assert_eq!(jumped(10.0).complaints(30.0).len(), 1);
    }
}
