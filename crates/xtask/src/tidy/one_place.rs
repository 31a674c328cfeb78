//! Decisions with one place: how an error becomes a gRPC status, and what an answer of Microsoft's means.
//!
//! Held in code that is built into the product; tests may make what they need.

use super::Violation;
use super::tree::{File, Tree, whole_word};

const STATUS_HOME: &str = "crates/server/src/status.rs";

/// tonic's constructors of a status.
const STATUS_CONSTRUCTORS: [&str; 23] = [
    "new",
    "with_details",
    "with_metadata",
    "with_details_and_metadata",
    "with_error_details",
    "with_error_details_vec",
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// Words of Entra's and Graph's error answers. Who reads them decides what they mean.
const ANSWERS: [&str; 4] =
    ["AADSTS", "ErrorAccessDenied", "MailboxNotEnabledForRESTAPI", "ErrorSendAsDenied"];

/// The sandbox speaks them; the development crates may expect them.
const ANSWERS_HOMES: [&str; 4] = ["crates/microsoft/", "crates/sandbox/", "crates/testkit/", "crates/xtask/"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().flat_map(|file| [statuses(file), answers(file)].concat()).collect()
}

fn statuses(file: &File) -> Vec<Violation> {
    if file.path == STATUS_HOME {
        return Vec::new();
    }
    let code = file.code();
    let lines = file.product_lines(&code).into_iter().filter(|(_, line)| makes_status(line));
    let violation = |line: usize| Violation {
        path: file.path.clone(),
        line,
        what: "a gRPC status is made here".to_owned(),
        why: "its code, reason and details come from one match, so that clients can rely on them",
        mend: format!("Return the error, and let {STATUS_HOME} map it"),
    };
    lines.map(|(line, _)| violation(line)).collect()
}

fn makes_status(line: &str) -> bool {
    STATUS_CONSTRUCTORS.iter().any(|name| whole_word(line, &format!("Status::{name}")).is_some())
}

fn answers(file: &File) -> Vec<Violation> {
    if ANSWERS_HOMES.iter().any(|home| file.path.starts_with(home)) {
        return Vec::new();
    }
    let code = file.code_and_strings();
    let violation = |line: usize, word: &str| Violation {
        path: file.path.clone(),
        line,
        what: format!("`{word}`, a word of Microsoft's answers"),
        why: "one match maps answers to outcomes and findings",
        mend: "Ask for the finding, and let crates/microsoft/src/classify.rs read the answer".to_owned(),
    };
    let product = file.product_lines(&code).into_iter();
    let found =
        product.filter_map(|(line, text)| Some((line, *ANSWERS.iter().find(|word| text.contains(**word))?)));
    found.map(|(line, word)| violation(line, word)).collect()
}

#[cfg(test)]
mod tests {
    use super::{File, answers, statuses};

    #[test]
    fn a_status_is_made_in_one_file() {
        let file = |path: &str, text: &str| statuses(&File::new(path, text)).len();
        assert_eq!(file("crates/server/src/rpc/a.rs", "Err(tonic::Status::new(code, text))"), 1);
        assert_eq!(file("crates/server/src/rpc/a.rs", "x.map_err(Status::internal)"), 1);
        assert_eq!(file("crates/server/src/status.rs", "Status::internal(text)"), 0);
        assert_eq!(file("crates/a/src/b.rs", "ExitStatus::new(1); Status::from_x; // Status::new"), 0);
        assert_eq!(file("crates/a/tests/b.rs", "Status::internal(text)"), 0);
        assert_eq!(file("crates/a/src/b.rs", "#[cfg(test)]\nmod tests {\n  Status::internal(text)\n}\n"), 0);
    }

    #[test]
    fn an_answer_is_read_in_one_crate() {
        let file = |path: &str, text: &str| answers(&File::new(path, text)).len();
        assert_eq!(file("crates/dispatch/src/a.rs", "if text.contains(\"AADSTS700016\") {}"), 1);
        assert_eq!(file("crates/dispatch/src/a.rs", "// AADSTS700016 comes first"), 0);
        assert_eq!(file("crates/microsoft/src/classify.rs", "\"AADSTS700016\""), 0);
    }
}
