//! Durable accept under load, beside the least service that does it on the same disk.

use std::time::Duration;

use crate::field::{Field, Ground, Kind, Storage};
use crate::figure::{Bar, Figure};
use crate::load::{Answers, Load};
use crate::meter::Meter;
use crate::probe::Probe;
use crate::scale::Scale;

/// Callers and bytes that the bars are about.
const JUDGED: (usize, usize) = (64, 2_000);
const RESELLERS: usize = 100;

pub(crate) async fn run(ground: Ground, scale: Scale) -> Vec<Figure> {
    let mut figures = Vec::new();
    for kind in Kind::ALL {
        let storage = Storage::new(&ground, kind);
        let mut field = Field::of(&ground, &storage, 1).await;
        field.has_resellers(RESELLERS).await;
        field.pauses(RESELLERS).await;
        let probe = Probe::on(storage.path(), &storage.limit_url()).await;
        let meters = (field.meter(), probe.meter());
        for &size in scale.sizes {
            for &callers in scale.callers {
                let load = Load { callers, size, resellers: RESELLERS };
                let mut pairs = Vec::new();
                for _ in 0..scale.repeats {
                    let ours = Taken::of(load, &field.clients(), meters.0, scale.measure).await;
                    let limit = Taken::of(load, &[probe.client().clone()], meters.1, scale.measure).await;
                    pairs.push((ours, limit));
                }
                figures.extend(told(kind, callers, size, &pairs));
            }
        }
    }
    figures
}

struct Taken {
    answers: Answers,
    cpu: Duration,
}

impl Taken {
    async fn of(load: Load, clients: &[postrider_testkit::Client], meter: Meter, time: Duration) -> Self {
        let before = meter.cpu();
        let answers = load.on(clients, time).await;
        Self { answers, cpu: meter.cpu().saturating_sub(before) }
    }

    /// Milliseconds of CPU a call, those of the warm-up among them.
    fn cpu_a_call(&self) -> f64 {
        self.cpu.as_secs_f64() * 1_000.0 / self.answers.in_all()
    }
}

fn told(kind: Kind, callers: usize, size: usize, pairs: &[(Taken, Taken)]) -> [Figure; 3] {
    let name = format!("accept, {}, {callers} callers, {size} B", kind.name());
    let is_judged = (callers, size) == JUDGED;
    let bar = |bar| Some(bar).filter(|_| is_judged);
    let of = |value: fn(&Taken) -> f64| -> Vec<(f64, f64)> {
        pairs.iter().map(|(ours, limit)| (value(ours), value(limit))).collect()
    };
    let cpu: Vec<f64> = pairs.iter().map(|(ours, _)| ours.cpu_a_call()).collect();
    [
        Figure::beside(
            format!("{name}: rate"),
            "1/s",
            &of(|taken| taken.answers.a_second()),
            bar(Bar::AtLeast(0.8)),
        ),
        Figure::beside(
            format!("{name}: p99"),
            "ms",
            &of(|taken| taken.answers.percentile(99)),
            bar(Bar::AtMost(1.5)),
        ),
        Figure::alone(format!("{name}: CPU a mail"), "ms", &cpu, bar(Bar::AtMost(0.15))),
    ]
}
