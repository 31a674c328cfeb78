//! Memory, idle and full, and how long a start on what waits takes.

use std::time::Instant;

use crate::field::{Field, Ground, Kind, Storage};
use crate::figure::{Bar, Figure};
use crate::load::{Load, as_f64};
use crate::scale::Scale;

const SIZE: usize = 2_000;
const FILLERS: usize = 64;

pub(crate) async fn run(ground: Ground, scale: Scale) -> Vec<Figure> {
    let storage = Storage::new(&ground, Kind::Sqlite);
    let mut field = Field::of(&ground, &storage, 1).await;
    let idle = field.meter().resident_megabytes();
    field.has_resellers(scale.resellers).await;
    field.pauses(scale.resellers).await;
    field.services[0].is_killed_and_returns().await;
    let known = field.meter().resident_megabytes();
    let queued = *scale.queued.last().expect("one");
    Load { callers: FILLERS, size: SIZE, resellers: scale.resellers }.sends(field.admin(), queued).await;
    let filled = field.meter().resident_megabytes();
    field.services[0].is_killed().await;
    let begun = Instant::now();
    field.services[0].returns().await;
    let started = begun.elapsed().as_secs_f64();
    let recovered = field.meter().resident_megabytes();
    let each = (known - idle).max(0.0) * 1_024.0 / as_f64(scale.resellers);
    vec![
        Figure::alone("memory, idle", "MB", &[idle], Some(Bar::AtMost(40.0))),
        Figure::alone(
            format!("memory, of each of {} idle resellers", scale.resellers),
            "KB",
            &[each],
            Some(Bar::AtMost(1.0)),
        ),
        Figure::alone(format!("memory, after {queued} were queued"), "MB", &[filled], None),
        Figure::alone(format!("start after kill -9 with {queued} queued"), "s", &[started], None),
        Figure::alone("memory, after that", "MB", &[recovered], None),
    ]
}
