//! What a mail costs does not grow with what waits, nor with how many resellers there are.

use postrider_proto::v1::WaitFor;

use crate::field::{Field, Ground, Kind, Storage};
use crate::figure::{Bar, Figure, Spread};
use crate::load::Load;
use crate::one_mail::calls;
use crate::scale::Scale;

const SIZE: usize = 2_000;
const FILLERS: usize = 64;
const FEW_RESELLERS: usize = 10;
const FLAT: Bar = Bar::AtMost(1.25);

/// Services side by side, each with more of something than the first.
struct Grown {
    what: String,
    field: Field,
    _storage: Storage,
}

pub(crate) async fn run(ground: Ground, scale: Scale) -> Vec<Figure> {
    let mut figures = Vec::new();
    for kind in Kind::ALL {
        let mut queues = Vec::new();
        for &queued in scale.queued {
            queues.push(grown(&ground, kind, format!("{queued} queued"), FEW_RESELLERS, queued).await);
        }
        figures.extend(compared(kind, &queues, scale).await);
        drop(queues);
        let mut crowds = Vec::new();
        for resellers in [FEW_RESELLERS, scale.resellers] {
            crowds.push(grown(&ground, kind, format!("{resellers} lanes"), resellers, resellers).await);
        }
        figures.extend(compared(kind, &crowds, scale).await);
    }
    figures
}

/// All lanes but the first are held, with what waits.
async fn grown(ground: &Ground, kind: Kind, what: String, resellers: usize, queued: usize) -> Grown {
    let storage = Storage::new(ground, kind);
    let field = Field::of(ground, &storage, 1).await;
    field.has_resellers(resellers).await;
    field.pauses(resellers).await;
    Load { callers: FILLERS, size: SIZE, resellers }.sends(field.admin(), queued).await;
    field.resumes(1).await;
    field.are_drained(0..1).await;
    Grown { what, field, _storage: storage }
}

/// Each beside the first, in turn.
async fn compared(kind: Kind, grown: &[Grown], scale: Scale) -> Vec<Figure> {
    let mut measured = vec![Vec::new(); grown.len()];
    for _ in 0..scale.repeats {
        for (of, values) in grown.iter().zip(&mut measured) {
            let accepted = lone(of, WaitFor::Accepted, scale).await;
            // What was accepted is sent before anything else is measured.
            of.field.are_drained(0..1).await;
            values.push((accepted, lone(of, WaitFor::Sent, scale).await));
        }
    }
    let (first, others) = measured.split_first().expect("the first");
    let mut figures = Vec::new();
    for (of, values) in grown[1..].iter().zip(others) {
        let beside = |value: fn(&(f64, f64)) -> f64| -> Vec<(f64, f64)> {
            values.iter().map(value).zip(first.iter().map(value)).collect()
        };
        let name =
            |what| format!("growth, {}: {what} with {}, beside {}", kind.name(), of.what, grown[0].what);
        figures.push(Figure::beside(name("accept"), "ms", &beside(|pair| pair.0), Some(FLAT)));
        figures.push(Figure::beside(name("accept to sent"), "ms", &beside(|pair| pair.1), Some(FLAT)));
    }
    figures
}

async fn lone(of: &Grown, wait_for: WaitFor, scale: Scale) -> f64 {
    Spread::of(calls(of.field.admin(), wait_for, scale.lone_calls).await).median
}
