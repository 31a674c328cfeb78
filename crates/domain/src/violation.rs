//! What is wrong with a request, all of it at once, each with the path of its field.

use std::fmt;

/// One thing wrong with one field, in words for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path from the request, in snake_case: `email.to[1].address`.
    pub field: String,
    /// A sentence without the offending value, which may be secret or hostile.
    pub description: String,
}

/// The things wrong with a request, in the order of its fields. Collected, then turned into a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    pub fn one(field: impl Into<String>, description: impl fmt::Display) -> Self {
        let mut violations = Self::default();
        violations.push(field, description);
        violations
    }

    pub fn push(&mut self, field: impl Into<String>, description: impl fmt::Display) {
        self.0.push(Violation { field: field.into(), description: description.to_string() });
    }

    /// Keeps the value, or notes what is wrong with it.
    pub fn check<T, E: fmt::Display>(&mut self, field: impl Into<String>, parsed: Result<T, E>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.push(field, error);
                None
            }
        }
    }

    /// The same for what reports several things at once.
    pub fn take<T>(&mut self, parsed: Result<T, Self>) -> Option<T> {
        parsed.map_err(|wrong| self.0.extend(wrong.0)).ok()
    }

    /// The same, of a request that is itself a field.
    #[must_use]
    pub fn within(self, field: &str) -> Self {
        let within =
            |violation: Violation| Violation { field: format!("{field}.{}", violation.field), ..violation };
        Self(self.0.into_iter().map(within).collect())
    }

    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }

    /// The value, if nothing is wrong and it could be built.
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", violation.field, violation.description)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}
