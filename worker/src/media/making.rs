//! Images under way beside the film: made on threads of their own as soon as they have all their pictures, for an image that
//! waits for the end of the film is what everybody waits for then.

use std::thread::{Builder, JoinHandle};

use super::{
    error::MediaError,
    extras::Extras,
    report::{Report, Tell},
};

#[derive(Default)]
pub(super) struct Making(Vec<JoinHandle<Vec<Report>>>);

impl Making {
    pub(super) fn begin(&mut self, extras: Extras) -> Result<(), MediaError> {
        let making = Builder::new().name("images".to_owned()).spawn(move || extras.finish());
        self.0.push(making.map_err(MediaError::io("start a thread"))?);
        Ok(())
    }

    /// Tells of what is made by now.
    pub(super) fn tell_made(&mut self, tell: Tell<'_>) -> Result<(), MediaError> {
        while let Some(at) = self.0.iter().position(JoinHandle::is_finished) {
            told(self.0.swap_remove(at), tell)?;
        }
        Ok(())
    }

    /// Waits for the rest.
    pub(super) fn finish(self, tell: Tell<'_>) -> Result<(), MediaError> {
        self.0.into_iter().try_for_each(|making| told(making, &mut *tell))
    }
}

fn told(making: JoinHandle<Vec<Report>>, tell: Tell<'_>) -> Result<(), MediaError> {
    let made = making.join().map_err(|_| MediaError::broken("a thread died over the images"))?;
    made.into_iter().for_each(tell);
    Ok(())
}
