//! All figures of a run: a table for people, and JSON for what compares runs.

use std::fmt;
use std::path::{Path, PathBuf};

use comfy_table::Table;
use serde::Serialize;

use crate::figure::{Bar, Figure, Spread};

#[derive(Serialize)]
pub(crate) struct Report {
    #[serde(skip)]
    file: PathBuf,
    cores: usize,
    figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn new(folder: &Path, full: bool) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { file: folder.join(if full { "full.json" } else { "short.json" }), cores, figures: Vec::new() }
    }

    pub(crate) fn add(&mut self, figures: Vec<Figure>) {
        self.figures.extend(figures);
    }

    pub(crate) fn write(&self) -> anyhow::Result<()> {
        std::fs::write(&self.file, serde_json::to_vec_pretty(self)?)?;
        println!("written to {}", self.file.display());
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::ASCII_MARKDOWN);
        table.set_header(["what", "unit", "Postrider", "limit", "compared (min, median, max)", "bar", ""]);
        for figure in &self.figures {
            let limit = figure.limit.map_or(String::new(), |limit| number(limit.median));
            let mark = match figure.reaches() {
                None => "",
                Some(true) => "reached",
                Some(false) => "MISSED",
            };
            table.add_row([
                figure.name.as_str(),
                figure.unit,
                &number(figure.ours.median),
                &limit,
                &spread(figure.compared),
                &figure.bar.map_or(String::new(), bar),
                mark,
            ]);
        }
        writeln!(f, "{} cores; medians, but where three are told", self.cores)?;
        write!(f, "{table}")
    }
}

fn bar(bar: Bar) -> String {
    match bar {
        Bar::AtLeast(bar) => format!("≥ {}", number(bar)),
        Bar::AtMost(bar) => format!("≤ {}", number(bar)),
    }
}

fn spread(of: Spread) -> String {
    format!("{} {} {}", number(of.min), number(of.median), number(of.max))
}

fn number(value: f64) -> String {
    if value.abs() >= 1_000.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}
