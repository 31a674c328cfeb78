//! "Tenant" is Entra's word: a reseller is never called that.
//!
//! It stands in `microsoft` and `sandbox` (which speak with Entra or play it), in Markdown (the documents and the
//! catalogue of findings), in comments of the API's files, and in the names that the contract fixes.

use super::Violation;
use super::tree::{Tree, has_extension, numbered};

/// Longer ones first, for each is taken out of the line before the next is looked for.
const FIXED_NAMES: [&str; 12] = [
    "--tenant-id",
    "tenant_id",
    "tenantId",  // the same in protobuf's JSON,
    "TENANT_ID", // as a constant,
    "tenant ID", // and as the panel writes it
    "tenant id",
    "TENANT_NOT_FOUND",
    "TenantNotFound",
    "TENANT_SEND_LIMIT",
    "TenantSendLimit",
    "(tenant) ID", // the portal's own words
    "\"tenant\"",  // the key of the sandbox's scenarios
];

const WHERE_IT_IS_AT_HOME: [&str; 3] =
    ["crates/microsoft/", "crates/sandbox/", "crates/xtask/src/tidy/words.rs"];

const HELD: [&str; 7] = ["rs", "toml", "sql", "proto", "yaml", "yml", "sh"];

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let files = tree.files.iter().filter(|file| {
        HELD.iter().any(|extension| has_extension(&file.path, extension))
            && !file.is_generated()
            && !WHERE_IT_IS_AT_HOME.iter().any(|home| file.path.starts_with(home))
    });
    files.flat_map(|file| of_text(&file.path, &file.text)).collect()
}

fn of_text(path: &str, text: &str) -> Vec<Violation> {
    let lines = numbered(text).filter(|(_, line)| {
        let line =
            if has_extension(path, "proto") { line.split("//").next().unwrap_or_default() } else { line };
        let rest = FIXED_NAMES.iter().fold(line.to_owned(), |rest, name| rest.replace(name, ""));
        rest.to_lowercase().contains("tenant")
    });
    let violation = |line: usize| Violation {
        path: path.to_owned(),
        line,
        what: "the word \"tenant\"".to_owned(),
        why: "it is Entra's word for a directory, and a reader would take it for a reseller",
        mend: "Say reseller, or directory where Entra's is meant".to_owned(),
    };
    lines.map(|(line, _)| violation(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::of_text;

    #[test]
    fn the_word_is_free_only_in_names_of_the_contract() {
        assert_eq!(of_text("src/a.rs", "let a = 1;\nlet tenants = 2;\n").len(), 1);
        assert_eq!(of_text("src/a.rs", "// one a tenant\n").len(), 1);
        assert!(of_text("src/a.rs", "FindingCode::TenantNotFound => \"Directory (tenant) ID\"\n").is_empty());
        assert!(of_text("a.proto", "string tenant_id = 1; // Entra's tenant\n").is_empty());
        assert_eq!(of_text("a.proto", "string tenant = 1;\n").len(), 1);
    }
}
