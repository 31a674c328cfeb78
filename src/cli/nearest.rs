//! Which known words are nearest to one that is not known.

/// The three nearest, the nearest first.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut known: Vec<_> = known.map(|candidate| (distance(word, candidate), candidate)).collect();
    known.sort_by_key(|(distance, _)| *distance);
    known.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// Changed characters, less those of the parts between underscores that both have.
fn distance(word: &str, candidate: &str) -> isize {
    let has = |part: &&str| candidate.split('_').any(|other| other == *part);
    let shared: usize = word.split('_').filter(has).map(|part| part.chars().count()).sum();
    edits(word, candidate).cast_signed() - shared.cast_signed()
}

/// Levenshtein's distance.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("same", "same"), 0);
    }

    #[test]
    fn a_shared_part_brings_near() {
        let known = ["THROTTLED", "SECRET_EXPIRED", "MAILBOX_FULL", "CERTIFICATE_EXPIRED"];
        assert_eq!(nearest("EXPIRED_SECRET", known.into_iter())[0], "SECRET_EXPIRED");
    }
}
