//! Images under way beside the film: made on threads of their own as soon as they have all their pictures, for an image that
//! waits for the end of the film is what everybody waits for then.

use std::thread::{Builder, JoinHandle};

use super::{
    error::MediaError,
    report::{Report, Tell},
};

#[derive(Default)]
pub(super) struct Making(Vec<JoinHandle<Vec<Report>>>);

impl Making {
    pub(super) fn begin(&mut self, make: impl FnOnce() -> Vec<Report> + Send + 'static) -> Result<(), MediaError> {
        let making = Builder::new().name("images".to_owned()).spawn(make);
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Made when it is let go.
    fn image(fraction: f64, go: Receiver<()>) -> impl FnOnce() -> Vec<Report> + Send {
        move || {
            go.recv().unwrap();
            vec![Report::Progress(fraction)]
        }
    }

    fn fractions(told: &mut Vec<f64>) -> impl FnMut(Report) {
        |report| match report {
            Report::Progress(fraction) => told.push(fraction),
            _ => panic!("nothing else was made"),
        }
    }

    #[test]
    fn what_is_made_is_told_while_the_rest_is_being_made() {
        let ((go, first), (go_on, second)) = (channel(), channel());
        let (mut making, mut told) = (Making::default(), Vec::new());
        making.begin(image(0.1, first)).unwrap();
        making.begin(image(0.2, second)).unwrap();
        making.tell_made(&mut fractions(&mut told)).unwrap();
        assert!(told.is_empty(), "neither is made");
        go_on.send(()).unwrap();
        while told.is_empty() {
            making.tell_made(&mut fractions(&mut told)).unwrap();
        }
        assert_eq!(told, [0.2]);
        go.send(()).unwrap();
        making.finish(&mut fractions(&mut told)).unwrap();
        assert_eq!(told, [0.2, 0.1], "each once");
    }

    #[test]
    fn a_thread_that_dies_over_an_image_is_an_error() {
        let mut making = Making::default();
        making.begin(|| panic!("over an image")).unwrap();
        assert!(making.finish(&mut |_| ()).is_err());
    }
}
