//! What `serve` says on standard output once it has started: the addresses in one line, then what to try.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use postrider_sandbox::seed;
use postrider_server::Endpoints;
use serde_json::json;

use super::{Started, acme, reachable};
use crate::cli::screen;

const DATA_DIR_DEFAULT: &str = "./postrider-sandbox";

pub(super) fn service(started: &Started) {
    let mut text = listening(&started.endpoints);
    if started.admin_key_made {
        let _ = write!(
            text,
            "\nThe first access key, for everything, is in {}",
            started.admin_key_file.display()
        );
    }
    print(&text);
}

pub(super) fn service_with_sandbox(started: &Started, data_dir: &Path) {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("postrider"));
    print(&with_sandbox(started, data_dir, &program));
}

fn with_sandbox(started: &Started, data_dir: &Path, program: &Path) -> String {
    let endpoints = &started.endpoints;
    let mut text = listening(endpoints);
    if let Some(sandbox) = endpoints.sandbox {
        let _ = write!(text, "\n\nInbox of the stand-in Microsoft: http://{}/", reachable(sandbox));
    }
    let key_file = absolute(&started.admin_key_file);
    let _ = write!(text, "\nAccess key: {}", key_file.display());
    if let Some(grpc) = endpoints.grpc {
        let _ = write!(text, "\n\nSend a mail as reseller {}:\n\n", acme::RESELLER);
        let _ = write!(
            text,
            "grpcurl -plaintext -H \"authorization: Bearer $(cat {})\" -d '{}' {} postrider.v1.MailService/SendMail",
            quoted(&key_file),
            mail(),
            reachable(grpc)
        );
    }
    let _ = write!(text, "\n\nTry a wrong setting, the secret's ID in place of its Value:\n\n");
    let data_dir = match data_dir == Path::new(DATA_DIR_DEFAULT) {
        true => String::new(),
        false => format!(" --data-dir {}", quoted(&absolute(data_dir))),
    };
    let _ = write!(
        text,
        "echo {} | {} settings test {} --client-secret-file -{data_dir}",
        seed::SECRET_ID,
        quoted(program),
        acme::RESELLER
    );
    text + "\n"
}

/// `listening grpc=HOST:PORT http=HOST:PORT sandbox=HOST:PORT`, without what is not served.
pub(in crate::cli) fn listening(endpoints: &Endpoints) -> String {
    let named = [("grpc", endpoints.grpc), ("http", endpoints.http), ("sandbox", endpoints.sandbox)];
    let served = named.into_iter().filter_map(|(name, address)| Some(format!(" {name}={}", address?)));
    format!("listening{}", served.collect::<String>())
}

fn mail() -> serde_json::Value {
    json!({
        "reseller": acme::RESELLER,
        "email": {
            "to": [{"address": "ann@customer.example"}],
            "subject": "Hello from Postrider",
            "text": "The first mail.",
        },
        "wait_for": "WAIT_FOR_SENT",
    })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// As one word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-+~@%:".contains(c);
    if text.chars().all(harmless) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Standard output may have been closed by whoever started the service; it serves all the same.
pub(in crate::cli) fn print(text: &str) {
    drop(screen::print(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> Started {
        let at = |port| Some(([127, 0, 0, 1], port).into());
        Started {
            endpoints: Endpoints { grpc: at(50051), http: at(9464), sandbox: at(8025) },
            admin_key_file: PathBuf::from("/srv/a b/admin.key"),
            admin_key_made: true,
        }
    }

    #[test]
    fn the_first_line_has_the_addresses() {
        let endpoints = started().endpoints;
        assert_eq!(
            listening(&endpoints),
            "listening grpc=127.0.0.1:50051 http=127.0.0.1:9464 sandbox=127.0.0.1:8025"
        );
        let alone = Endpoints { sandbox: None, ..endpoints };
        assert_eq!(listening(&alone), "listening grpc=127.0.0.1:50051 http=127.0.0.1:9464");
    }

    #[test]
    fn what_to_paste_is_one_line_each_and_quoted_for_a_shell() {
        let text = with_sandbox(&started(), Path::new(DATA_DIR_DEFAULT), Path::new("/usr/bin/postrider"));
        insta::assert_snapshot!(text, @r#""#);
    }

    #[test]
    fn a_quote_in_a_path_is_escaped() {
        assert_eq!(quoted(Path::new("/a'b")), r"'/a'\''b'");
        assert_eq!(quoted(Path::new("/a/b.key")), "/a/b.key");
    }
}
