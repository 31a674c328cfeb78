//! What waits is sent as fast as Microsoft allows, and whoever has little is not kept waiting by whoever has much.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::field::{CONCURRENCY, Field, Ground, Kind, Storage};
use crate::figure::{Bar, Figure};
use crate::load::{Load, as_f64};
use crate::one_mail::Graph;
use crate::scale::Scale;

const SIZE: usize = 2_000;
const ANSWER: Duration = Duration::from_millis(80);
const NEIGHBOURS: usize = 99;
/// Of each of them.
const FEW: usize = 10;
const FILLERS: usize = 64;

pub(crate) async fn run(ground: Ground, scale: Scale) -> Vec<Figure> {
    let mut figures = Vec::new();
    for kind in Kind::ALL {
        for &lanes in scale.drained_lanes {
            figures.extend(drained(&ground, scale, kind, lanes).await);
        }
    }
    figures
}

async fn drained(ground: &Ground, scale: Scale, kind: Kind, lanes: usize) -> [Figure; 2] {
    let storage = Storage::new(ground, kind);
    let field = Field::of(ground, &storage, 1).await;
    field.has_resellers(lanes).await;
    field.answers_within(ANSWER).await;
    let graph = Arc::new(Graph::of(&field.microsoft).await);
    let messages = lanes * scale.drained_messages;
    let mut pairs = Vec::new();
    for _ in 0..scale.repeats {
        field.pauses(lanes).await;
        Load { callers: FILLERS, size: SIZE, resellers: lanes }.sends(field.admin(), messages).await;
        let begun = Instant::now();
        field.resumes(lanes).await;
        field.is_drained(lanes).await;
        let ours = as_f64(messages) / begun.elapsed().as_secs_f64();
        pairs.push((ours, allowed(lanes).min(raw(&graph, lanes, scale.measure).await)));
    }
    let breaches = field.microsoft.breaches().await.len();
    let name = format!("drain, {}, {lanes} lanes", kind.name());
    [
        Figure::beside(
            format!("{name}: beside what Microsoft allows, or its stand-in can"),
            "1/s",
            &pairs,
            Some(Bar::AtLeast(0.95)),
        ),
        Figure::alone(format!("{name}: limits exceeded"), "", &[as_f64(breaches)], Some(Bar::AtMost(0.0))),
    ]
}

/// Mails a second.
fn allowed(lanes: usize) -> f64 {
    as_f64(lanes * CONCURRENCY) / ANSWER.as_secs_f64()
}

/// What the stand-in takes from as many calls at once without a service: more than that nobody can drain.
async fn raw(graph: &Arc<Graph>, lanes: usize, time: Duration) -> f64 {
    let end = Instant::now() + time;
    let mut callers = JoinSet::new();
    for caller in 0..lanes * CONCURRENCY {
        let graph = Arc::clone(graph);
        callers.spawn(async move {
            let mut sent = 0;
            while Instant::now() < end {
                graph.sends(caller / CONCURRENCY).await;
                sent += 1;
            }
            sent
        });
    }
    let begun = Instant::now();
    let sent: usize = callers.join_all().await.into_iter().sum();
    as_f64(sent) / begun.elapsed().as_secs_f64()
}

/// The time of those with few messages, with and without one who has many.
pub(crate) async fn neighbour(ground: Ground, scale: Scale) -> Vec<Figure> {
    let mut figures = Vec::new();
    for kind in Kind::ALL {
        let mut pairs = Vec::new();
        for _ in 0..scale.repeats {
            let quiet = few_beside(&ground, kind, 0).await;
            pairs.push((few_beside(&ground, kind, scale.noise).await, quiet));
        }
        figures.push(Figure::beside(
            format!("neighbour, {}: {NEIGHBOURS} lanes of {FEW}, beside one of {}", kind.name(), scale.noise),
            "s",
            &pairs,
            Some(Bar::AtMost(1.1)),
        ));
    }
    figures
}

async fn few_beside(ground: &Ground, kind: Kind, noise: usize) -> f64 {
    let storage = Storage::new(ground, kind);
    let field = Field::of(ground, &storage, 1).await;
    let lanes = NEIGHBOURS + 1;
    field.has_resellers(lanes).await;
    field.answers_within(ANSWER).await;
    // So that all tokens are there.
    Load { callers: lanes, size: SIZE, resellers: lanes }.sends(field.admin(), lanes).await;
    field.is_drained(lanes).await;
    field.pauses(lanes).await;
    Load { callers: FILLERS, size: SIZE, resellers: 1 }.sends(field.admin(), noise).await;
    Load { callers: NEIGHBOURS, size: SIZE, resellers: lanes }.sends(field.admin(), lanes * FEW).await;
    let begun = Instant::now();
    field.resumes(lanes).await;
    field.are_drained(1..lanes).await;
    begun.elapsed().as_secs_f64()
}
