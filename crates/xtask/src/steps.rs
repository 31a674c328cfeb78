//! Steps with a name, a time and an end: what `cargo xtask test` prints while it goes and when it is through.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// The steps so far. A step that fails does not stop the next ones: one run tells everything that is wrong.
pub(crate) struct Steps {
    begun: Instant,
    total: usize,
    done: Vec<Done>,
}

struct Done {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

impl Steps {
    pub(crate) fn new(total: usize) -> Self {
        Self { begun: Instant::now(), total, done: Vec::new() }
    }

    /// Runs one step: says its name and purpose before, and how it ended after.
    pub(crate) fn run<T>(
        &mut self,
        name: &'static str,
        purpose: &str,
        step: impl FnOnce() -> anyhow::Result<T>,
    ) -> Option<T> {
        println!("\n== {}/{} {name}: {purpose}", self.done.len() + 1, self.total);
        let begun = Instant::now();
        let result = step();
        let took = begun.elapsed();
        let since_start = self.begun.elapsed();
        let failure = result.as_ref().err().map(|error| format!("{error:#}"));
        match &failure {
            None => println!("   ok {name}, {} ({} since the start)", seconds(took), seconds(since_start)),
            Some(why) => println!("   FAILED {name}, {}: {why}", seconds(took)),
        }
        self.done.push(Done { name, took, failure });
        result.ok()
    }

    pub(crate) fn all_passed(&self) -> bool {
        self.done.len() == self.total && self.done.iter().all(|done| done.failure.is_none())
    }

    /// One line a step, then one for each that failed.
    pub(crate) fn summary(&self) -> String {
        let mut text = format!("\n== {} in all\n", seconds(self.begun.elapsed()));
        for Done { name, took, failure } in &self.done {
            let end = if failure.is_some() { "FAILED" } else { "ok" };
            let _ = writeln!(text, "   {name:<14}{:>9}  {end}", seconds(*took));
        }
        for Done { name, failure, .. } in &self.done {
            if let Some(why) = failure {
                let _ = writeln!(text, "   step {name} failed: {why}");
            }
        }
        text
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::Steps;

    #[test]
    fn the_summary_names_the_step_that_failed_and_why() {
        let mut steps = Steps::new(2);
        steps.run("first", "goes well", || Ok(()));
        let second: Option<()> = steps.run("second", "goes wrong", || anyhow::bail!("the reason"));
        assert!(second.is_none() && !steps.all_passed());
        assert!(steps.summary().contains("step second failed: the reason"));
    }

    #[test]
    fn a_run_that_ended_early_has_not_passed() {
        let mut steps = Steps::new(2);
        steps.run("first", "goes well", || Ok(()));
        assert!(!steps.all_passed());
    }
}
