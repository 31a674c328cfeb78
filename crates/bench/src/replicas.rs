//! Replicas on one PostgreSQL, beside one alone.

use crate::field::{Field, Ground, Kind, Storage};
use crate::figure::Figure;
use crate::load::Load;
use crate::scale::Scale;

const RESELLERS: usize = 100;
const SIZE: usize = 2_000;
const CALLERS: usize = 64;

pub(crate) async fn run(ground: Ground, scale: Scale) -> Vec<Figure> {
    let mut rates: Vec<Vec<f64>> = Vec::new();
    for &replicas in scale.replicas {
        let storage = Storage::new(&ground, Kind::Postgres);
        let field = Field::of(&ground, &storage, replicas).await;
        field.has_resellers(RESELLERS).await;
        field.pauses(RESELLERS).await;
        let load = Load { callers: CALLERS, size: SIZE, resellers: RESELLERS };
        let mut measured = Vec::new();
        for _ in 0..scale.repeats {
            measured.push(load.on(&field.clients(), scale.measure).await.a_second());
        }
        rates.push(measured);
    }
    let (alone, more) = rates.split_first().expect("one replica");
    let pairs = |rates: &[f64]| -> Vec<_> { rates.iter().copied().zip(alone.iter().copied()).collect() };
    let names = scale.replicas[1..].iter().map(|replicas| format!("accept, {replicas} replicas, beside one"));
    names.zip(more).map(|(name, rates)| Figure::beside(name, "1/s", &pairs(rates), None)).collect()
}
