//! One figure: what the service reached, what the limit beside it was, and the bar for their ratio.

use serde::Serialize;

/// What was measured again and again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().expect("something was measured");
        Self { min: at(0), median: at(values.len() / 2), max: at(values.len() - 1) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

impl Bar {
    pub(crate) fn is_reached_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bar) => value >= bar,
            Self::AtMost(bar) => value <= bar,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: Spread,
    /// What is measured beside it, in the same unit.
    pub(crate) limit: Option<Spread>,
    /// Ours over the limit, pair by pair; where there is no limit, ours.
    pub(crate) compared: Spread,
    pub(crate) bar: Option<Bar>,
}

impl Figure {
    /// Of pairs that were measured one right after the other: ours and the limit.
    pub(crate) fn beside(
        name: impl Into<String>,
        unit: &'static str,
        pairs: &[(f64, f64)],
        bar: Option<Bar>,
    ) -> Self {
        Self {
            name: name.into(),
            unit,
            ours: Spread::of(pairs.iter().map(|(ours, _)| *ours)),
            limit: Some(Spread::of(pairs.iter().map(|(_, limit)| *limit))),
            compared: Spread::of(pairs.iter().map(|(ours, limit)| ours / limit)),
            bar,
        }
    }

    /// That is judged by itself.
    pub(crate) fn alone(
        name: impl Into<String>,
        unit: &'static str,
        values: &[f64],
        bar: Option<Bar>,
    ) -> Self {
        let ours = Spread::of(values.iter().copied());
        Self { name: name.into(), unit, ours, limit: None, compared: ours, bar }
    }

    pub(crate) fn reaches(&self) -> Option<bool> {
        self.bar.map(|bar| bar.is_reached_by(self.compared.median))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_compared_with_itself_and_not_with_another_repeats_limit() {
        let figure =
            Figure::beside("x", "1/s", &[(8.0, 10.0), (4.0, 5.0), (80.0, 100.0)], Some(Bar::AtLeast(0.8)));
        assert_eq!((figure.compared.min, figure.compared.max), (0.8, 0.8));
        assert_eq!(figure.reaches(), Some(true));
    }

    #[test]
    fn a_figure_without_a_limit_is_its_own_measure() {
        let figure = Figure::alone("x", "MB", &[41.0, 39.0, 40.5], Some(Bar::AtMost(40.0)));
        assert_eq!((figure.compared.median, figure.reaches()), (40.5, Some(false)));
    }
}
