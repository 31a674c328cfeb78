//! What a process used, as Linux tells it.

use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    process: u32,
}

impl Meter {
    pub(crate) fn of(process: u32) -> Self {
        Self { process }
    }

    /// In all its threads, since it began.
    pub(crate) fn cpu(self) -> Duration {
        let stat = self.read("stat");
        // The name of the program, in parentheses, may hold spaces.
        let after = stat.rsplit_once(')').expect("a name").1;
        let ticks: u64 =
            after.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second())
    }

    /// Of its memory what is in RAM, in megabytes.
    pub(crate) fn resident_megabytes(self) -> f64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("kilobytes");
        kilobytes / 1_024.0
    }

    fn read(self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.process);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}
