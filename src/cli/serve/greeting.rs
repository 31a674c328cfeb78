//! What `serve` says on standard output once it has started: the addresses in one line, then what to try.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use postrider_sandbox::seed;
use postrider_server::Endpoints;

use super::{Started, acme, reachable};
use crate::cli::screen::{self, add};

/// The first mail: protobuf's JSON of a `SendMailRequest`, without a quote that a shell would take.
const MAIL: &str = concat!(
    r#"{"reseller": "acme", "email": {"to": [{"address": "ann@customer.example"}], "#,
    r#""subject": "Hello from Postrider", "text": "The first mail."}, "wait_for": "WAIT_FOR_SENT"}"#
);

const DATA_DIR_DEFAULT: &str = "./postrider-sandbox";

pub(super) fn service(started: &Started) {
    let mut text = listening(&started.endpoints);
    if started.admin_key_made {
        let key_file = started.admin_key_file.display();
        add(&mut text, format_args!("\nThe first access key, for everything, is in {key_file}"));
    }
    print(&text);
}

pub(super) fn service_with_sandbox(started: &Started, data_dir: &Path) {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("postrider"));
    print(&with_sandbox(started, data_dir, &program));
}

fn with_sandbox(started: &Started, data_dir: &Path, program: &Path) -> String {
    let endpoints = &started.endpoints;
    let mut text = listening(endpoints) + "\n";
    if let Some(sandbox) = endpoints.sandbox {
        add(&mut text, format_args!("\nInbox of the stand-in Microsoft: http://{}/", reachable(sandbox)));
    }
    let key_file = absolute(&started.admin_key_file);
    add(&mut text, format_args!("\nAccess key: {}", key_file.display()));
    if let Some(grpc) = endpoints.grpc {
        let call = send_mail(reachable(grpc), &key_file, started.certificate_file.as_deref());
        add(&mut text, format_args!("\n\nSend a mail as reseller {}:\n\n{call}", acme::RESELLER));
    }
    let call = test_settings(data_dir, program, started.certificate_file.as_deref());
    add(
        &mut text,
        format_args!("\n\nTest a wrong setting, the secret's ID in place of its Value:\n\n{call}\n"),
    );
    text
}

/// Sends a mail, from any shell of this machine.
fn send_mail(grpc: SocketAddr, key_file: &Path, certificate_file: Option<&Path>) -> String {
    let key_file = quoted(key_file);
    let (how, grpc) = match certificate_file {
        None => ("-plaintext".to_owned(), grpc.to_string()),
        Some(file) => (format!("-cacert {}", quoted(&absolute(file))), format!("localhost:{}", grpc.port())),
    };
    format!(
        "grpcurl {how} -H \"authorization: Bearer $(cat {key_file})\" -d '{MAIL}' {grpc} \
         postrider.v1.MailService/SendMail"
    )
}

/// Tests a mistake that is easily made, from this folder.
fn test_settings(data_dir: &Path, program: &Path, certificate_file: Option<&Path>) -> String {
    let (secret, program, reseller) = (seed::SECRET_ID, quoted(program), acme::RESELLER);
    let mut call = format!("echo {secret} | {program} settings test {reseller} --client-secret-file -");
    if data_dir != Path::new(DATA_DIR_DEFAULT) {
        add(&mut call, format_args!(" --data-dir {}", quoted(&absolute(data_dir))));
    }
    if let Some(file) = certificate_file {
        add(&mut call, format_args!(" --ca-file {}", quoted(&absolute(file))));
    }
    call
}

/// `listening grpc=HOST:PORT http=HOST:PORT sandbox=HOST:PORT metrics=HOST:PORT`, without what is not served.
pub(in crate::cli) fn listening(endpoints: &Endpoints) -> String {
    let named = [
        ("grpc", endpoints.grpc),
        ("http", endpoints.http),
        ("sandbox", endpoints.sandbox),
        ("metrics", endpoints.metrics),
    ];
    let served = named.into_iter().filter_map(|(name, address)| Some(format!(" {name}={}", address?)));
    format!("listening{}", served.collect::<String>())
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
    use prost_reflect::{DescriptorPool, DynamicMessage};

    use super::*;

    fn started() -> Started {
        let at = |port| Some(([127, 0, 0, 1], port).into());
        Started {
            endpoints: Endpoints { grpc: at(50051), http: at(9464), sandbox: at(8025), metrics: None },
            admin_key_file: PathBuf::from("/srv/a b/admin.key"),
            admin_key_made: true,
            certificate_file: None,
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
        insta::assert_snapshot!(text, @r#"
        listening grpc=127.0.0.1:50051 http=127.0.0.1:9464 sandbox=127.0.0.1:8025

        Inbox of the stand-in Microsoft: http://127.0.0.1:8025/
        Access key: /srv/a b/admin.key

        Send a mail as reseller acme:

        grpcurl -plaintext -H "authorization: Bearer $(cat '/srv/a b/admin.key')" -d '{"reseller": "acme", "email": {"to": [{"address": "ann@customer.example"}], "subject": "Hello from Postrider", "text": "The first mail."}, "wait_for": "WAIT_FOR_SENT"}' 127.0.0.1:50051 postrider.v1.MailService/SendMail

        Test a wrong setting, the secret's ID in place of its Value:

        echo 5a4d0b0c-0002-4000-8000-000000005ec2 | /usr/bin/postrider settings test acme --client-secret-file -
        "#);
    }

    #[test]
    fn with_tls_it_says_what_to_trust() {
        let started = Started { certificate_file: Some(PathBuf::from("/srv/tls.pem")), ..started() };
        let text = with_sandbox(&started, Path::new(DATA_DIR_DEFAULT), Path::new("/usr/bin/postrider"));
        assert!(text.contains("\ngrpcurl -cacert /srv/tls.pem -H "), "{text}");
        assert!(text.contains(" localhost:50051 postrider.v1.MailService/SendMail\n"), "{text}");
        assert!(text.ends_with(" --client-secret-file - --ca-file /srv/tls.pem\n"), "{text}");
    }

    #[test]
    fn the_mail_to_paste_is_a_request_of_the_api() {
        let pool = DescriptorPool::decode(postrider_proto::FILE_DESCRIPTOR_SET).expect("descriptors");
        let request = pool.get_message_by_name("postrider.v1.SendMailRequest").expect("the request");
        let mut json = serde_json::Deserializer::from_str(MAIL);
        DynamicMessage::deserialize(request, &mut json).expect("protobuf's JSON");
        assert!(!MAIL.contains('\''), "it stands in a shell's single quotes");
    }

    #[test]
    fn a_quote_in_a_path_is_escaped() {
        assert_eq!(quoted(Path::new("/a'b")), r"'/a'\''b'");
        assert_eq!(quoted(Path::new("/a/b.key")), "/a/b.key");
    }
}
