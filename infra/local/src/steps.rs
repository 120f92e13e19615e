//! The steps of a long command: a sign of life while each lasts, and what each took in the end.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// The clock of a command that takes one step after the other.
pub(crate) struct Steps {
    took: Vec<(&'static str, Duration)>,
    began: Instant,
    bar: ProgressBar,
}

impl Steps {
    /// Starts the clock with the first step.
    pub(crate) fn begin(first: &'static str) -> Self {
        let mut steps = Self { took: Vec::new(), began: Instant::now(), bar: ProgressBar::hidden() };
        steps.next(first);
        steps
    }

    /// Ends the step that was on and begins another, of which nobody knows how long it is.
    pub(crate) fn next(&mut self, step: &'static str) {
        self.stop();
        self.took.push((step, Duration::ZERO));
        self.bar = ProgressBar::new_spinner().with_message(step);
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    /// The same, of which so many bytes will be read: hand its bar to whoever reads them.
    pub(crate) fn next_reading(&mut self, step: &'static str, bytes: u64) -> ProgressBar {
        self.next(step);
        let style = ProgressStyle::with_template("{wide_bar} {binary_bytes} of {binary_total_bytes} {msg}");
        self.bar = ProgressBar::new(bytes)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_message(step);
        self.bar.clone()
    }

    fn stop(&mut self) {
        self.bar.finish_and_clear();
        if let Some((_, took)) = self.took.last_mut() {
            *took = self.began.elapsed();
        }
        self.began = Instant::now();
    }

    /// Ends the last step; says what each took, and how much memory the command needed at most.
    pub(crate) fn end(mut self) -> Took {
        self.stop();
        Took { steps: self.took, memory: most_memory() }
    }
}

/// What a command took.
pub(crate) struct Took {
    steps: Vec<(&'static str, Duration)>,
    memory: Option<u64>,
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Duration = self.steps.iter().map(|(_, took)| *took).sum();
        write!(f, "Took {:.1} s", all.as_secs_f64())?;
        for (at, (step, took)) in self.steps.iter().enumerate() {
            write!(f, "{} {step} {:.1}", if at == 0 { ":" } else { "," }, took.as_secs_f64())?;
        }
        match self.memory {
            Some(bytes) => write!(f, "; at most {} MiB of memory", bytes >> 20),
            None => Ok(()),
        }
    }
}

/// The most memory this process has held at once, in bytes. `None` where the system does not say it the way Linux does.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_step_took_is_said_in_their_order_and_adds_up() {
        let took = Took {
            steps: vec![("reading", Duration::from_millis(1_240)), ("comparing", Duration::from_secs(2))],
            memory: Some(5 << 20),
        };
        assert_eq!(took.to_string(), "Took 3.2 s: reading 1.2, comparing 2.0; at most 5 MiB of memory");
    }

    #[test]
    fn a_step_that_is_begun_is_told_of() {
        let mut steps = Steps::begin("reading");
        steps.next("writing");
        let took = steps.end();
        let names: Vec<_> = took.steps.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["reading", "writing"]);
        assert!(!cfg!(target_os = "linux") || took.memory.is_some_and(|bytes| bytes > 1 << 20));
    }
}
