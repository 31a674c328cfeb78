//! `postrider findings`: the catalogue of all that can be wrong. It asks no service.

use clap::Args;
use postrider_domain::FindingCode;
use serde_json::json;

use super::failure::Failure;
use super::screen::{Output, Screen};
use super::{nearest, screen};

#[derive(Debug, Args)]
pub(crate) struct FindingsArguments {
    /// The finding to explain, such as SECRET_IS_ID. Without it, all are listed.
    code: Option<String>,
}

pub(crate) fn run(arguments: &FindingsArguments, screen: &Screen) -> Result<(), Failure> {
    match (&arguments.code, screen.output()) {
        (None, Output::Text) => screen::say(&list(screen)),
        (None, Output::Json) => {
            let findings: Vec<_> = FindingCode::ALL.iter().map(|code| as_json(*code)).collect();
            screen::say(&format!("{:#}", json!({"findings": findings})))
        }
        (Some(code), Output::Text) => screen::say(find(code)?.page()),
        (Some(code), Output::Json) => screen::say(&format!("{:#}", as_json(find(code)?))),
    }
}

fn list(screen: &Screen) -> String {
    let row = |code: &FindingCode| {
        vec![code.to_string(), code.class().as_str().to_uppercase(), code.title().to_owned()]
    };
    let rows: Vec<_> = FindingCode::ALL.iter().map(row).collect();
    screen.table(&["CODE", "CLASS", "TITLE"], &rows)
}

/// With the keys of the API's `Finding`.
fn as_json(code: FindingCode) -> serde_json::Value {
    let class = format!("FINDING_CLASS_{}", code.class().as_str().to_uppercase());
    json!({
        "code": code.as_str(), "class": class, "title": code.title(),
        "explanation": code.explanation(), "mend": code.mend(),
    })
}

fn find(said: &str) -> Result<FindingCode, Failure> {
    let code = said.trim().to_uppercase().replace('-', "_");
    FindingCode::parse(&code).ok_or_else(|| {
        let known = FindingCode::ALL.iter().map(|code| code.as_str());
        let near = nearest::nearest(&code, known);
        Failure::usage(format_args!(
            "there is no finding `{said}`; the nearest are {}; `postrider findings` lists all",
            near.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_found_in_any_letter_case() {
        assert_eq!(find("secret_is_id").expect("a finding").as_str(), "SECRET_IS_ID");
        assert_eq!(find("Secret-Is-Id").expect("a finding").as_str(), "SECRET_IS_ID");
    }

    #[test]
    fn an_unknown_code_is_answered_with_the_nearest() {
        let Err(Failure::Usage(error)) = find("SECRET_IS_IDD") else { panic!("a usage error") };
        assert!(error.to_string().contains("nearest are SECRET_IS_ID"), "{error}");
    }

    #[test]
    fn every_finding_is_listed() {
        assert_eq!(list(&Screen::piped()).lines().count(), FindingCode::ALL.len() + 1);
    }
}
