//! What a person at a terminal sees while something goes on. Nothing of it goes to standard output; without a terminal there are
//! no bars.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

const BYTES: &str = "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
const SHARE: &str = "{msg} {wide_bar} {percent} % {prefix}";

pub(super) struct Bars(MultiProgress);

impl Bars {
    /// `quiet`: for programs, which want none.
    pub(super) fn new(quiet: bool) -> Self {
        // Hides itself where there is no terminal.
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self(MultiProgress::with_draw_target(target))
    }

    pub(super) fn bytes(&self, name: &str, size: u64) -> ProgressBar {
        let bar = self.0.add(ProgressBar::new(size).with_message(name.to_owned()));
        bar.with_style(style(BYTES))
    }

    /// Per mille.
    pub(super) fn share(&self, name: &str) -> ProgressBar {
        let bar = self.0.add(ProgressBar::new(1_000).with_message(name.to_owned()));
        bar.with_style(style(SHARE))
    }

    #[expect(clippy::print_stderr, reason = "this is the command's complaint")]
    pub(super) fn complain(&self, text: &str) {
        self.0.suspend(|| eprintln!("reelgate: {text}"));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_sound() {
        for template in [BYTES, SHARE] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
