//! gRPC-Web on the HTTP port: the whole API for whoever has HTTP/1.1 alone, with the same keys, answers and errors.
//!
//! The frames are made and read here byte by byte, as a browser's library does it.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use postrider_proto::v1::watch_settings_test_response::Event;
use postrider_proto::v1::{
    MessageState, SendMailRequest, SendMailResponse, WatchSettingsTestRequest, WatchSettingsTestResponse,
};
use postrider_testkit::{Service, mail};
use prost::Message;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::ready;

const DEADLINE: Duration = Duration::from_millis(100);
const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text+proto";

/// What a call came to: its messages, and the trailers, which stand in the headers where there is no message.
struct Answer {
    messages: Vec<Vec<u8>>,
    trailers: String,
}

fn framed(message: &impl Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    [&[0], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat()
}

async fn calls(service: &Service, key: &str, rpc: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let url = format!("http://{}/postrider.v1.{rpc}", service.http());
    let request = reqwest::Client::default().post(url).header(CONTENT_TYPE, content_type).bearer_auth(key);
    let answer =
        request.header(ACCEPT, content_type).header("x-grpc-web", "1").body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let heads = answer.headers().iter().map(|(name, value)| format!("{name}:{}", value.to_str().unwrap()));
    let mut trailers = heads.filter(|line| line.starts_with("grpc-")).collect::<Vec<_>>().join("\r\n");
    let mut body = answer.bytes().await.unwrap().to_vec();
    if content_type == TEXT {
        body = BASE64.decode(&body).unwrap();
    }
    let mut messages = Vec::new();
    let mut rest = body.as_slice();
    while let Some((head, after)) = rest.split_at_checked(5) {
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let (frame, after) = after.split_at(length);
        match head[0] {
            0 => messages.push(frame.to_vec()),
            0x80 => trailers = String::from_utf8(frame.to_vec()).unwrap(),
            flags => panic!("a frame with the flags {flags}"),
        }
        rest = after;
    }
    Answer { messages, trailers }
}

impl Answer {
    fn only<M: Message + Default>(&self) -> M {
        assert_eq!(self.messages.len(), 1, "{}", self.trailers);
        M::decode(self.messages[0].as_slice()).unwrap()
    }

    fn ended_with(&self, status: &str) {
        assert!(
            self.trailers.lines().any(|line| line == format!("grpc-status:{status}")),
            "{}",
            self.trailers
        );
    }
}

#[tokio::test]
async fn a_deadline_is_counted_from_the_head_of_a_call_however_long_its_body_takes() {
    let service = ready().await;
    let body = framed(&mail("acme").waiting_for_sent().request);
    let head = format!(
        "POST /postrider.v1.MailService/SendMail HTTP/1.1\r\nhost: postrider\r\nauthorization: Bearer {}\r\n\
         content-type: {BINARY}\r\ngrpc-timeout: {}m\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        service.admin().key(),
        DEADLINE.as_millis(),
        body.len()
    );
    let mut connection = TcpStream::connect(service.http()).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut asked_for = [0; 25];
    connection.read_exact(&mut asked_for).await.unwrap();
    assert_eq!(&asked_for, b"HTTP/1.1 100 Continue\r\n\r\n");
    let asked = Instant::now();
    // Others are answered for as long as this caller waits, and so long its body takes.
    while asked.elapsed() <= DEADLINE {
        service.is_ready(200).await;
    }
    connection.write_all(&body).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("grpc-status: 4\r\n"), "{answer}");
}

#[tokio::test]
async fn a_mail_is_sent_in_binary_and_in_text() {
    let service = ready().await;
    let key = service.admin().key().to_owned();
    let request: SendMailRequest = mail("acme").waiting_for_sent().request;
    let answer = calls(&service, &key, "MailService/SendMail", BINARY, framed(&request)).await;
    answer.ended_with("0");
    let sent: SendMailResponse = answer.only();
    assert_eq!(sent.message.unwrap().state(), MessageState::Sent);
    let request: SendMailRequest = mail("acme").waiting_for_sent().request;
    let body = BASE64.encode(&framed(&request)).into_bytes();
    let answer = calls(&service, &key, "MailService/SendMail", TEXT, body).await;
    answer.ended_with("0");
    assert_eq!(answer.only::<SendMailResponse>().message.unwrap().state(), MessageState::Sent);
    assert_eq!(service.microsoft().received().await.len(), 2);
}

#[tokio::test]
async fn a_stream_comes_message_by_message() {
    let service = ready().await;
    let key = service.admin().key().to_owned();
    let request = WatchSettingsTestRequest { reseller: "acme".to_owned(), ..Default::default() };
    let answer = calls(&service, &key, "SettingsService/WatchSettingsTest", BINARY, framed(&request)).await;
    answer.ended_with("0");
    let events = answer.messages.iter().map(|message| WatchSettingsTestResponse::decode(message.as_slice()));
    let events: Vec<Event> = events.map(|event| event.unwrap().event.unwrap()).collect();
    assert_eq!(events.len(), 11, "five begin, five end, and the result: {events:#?}");
    assert!(matches!(&events[10], Event::Result(result) if result.passed), "{events:#?}");
}

#[tokio::test]
async fn the_same_keys_are_asked_for_and_the_same_errors_told() {
    let service = ready().await;
    let request = framed(&SendMailRequest::from(mail("acme")));
    let stranger = calls(&service, "pr_nobody_0000", "MailService/SendMail", BINARY, request.clone()).await;
    stranger.ended_with("16");
    let (_, reader) = service.admin().with_key(&[postrider_proto::v1::Scope::Read], &["acme"]).await;
    let denied = calls(&service, reader.key(), "MailService/SendMail", BINARY, request.clone()).await;
    denied.ended_with("7");
    let key = service.admin().key().to_owned();
    let invalid = framed(&SendMailRequest { reseller: "acme".to_owned(), ..Default::default() });
    let invalid = calls(&service, &key, "MailService/SendMail", BINARY, invalid).await;
    invalid.ended_with("3");
    assert!(invalid.trailers.contains("grpc-status-details-bin:"), "{}", invalid.trailers);
    let unknown = calls(&service, &key, "MailService/SendFax", BINARY, request.clone()).await;
    unknown.ended_with("12");
    assert!(unknown.trailers.contains("grpc-status-details-bin:"), "{}", unknown.trailers);
    let undecodable = calls(&service, &key, "MailService/SendMail", BINARY, vec![0, 0, 0, 0, 1, 0xff]).await;
    undecodable.ended_with("3");
    assert_eq!(service.admin().messages("acme").await.len(), 0);
}
