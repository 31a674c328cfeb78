//! Calls by path with bytes of one's own: what no generated client would send.

use http::uri::PathAndQuery;
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};

use crate::client::Client;

/// Passes bytes through.
#[derive(Debug, Clone, Copy, Default)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Calls `path`, such as `/postrider.v1.MailService/SendMail`, with this value as `authorization`.
pub async fn call(
    client: &Client,
    authorization: Option<MetadataValue<Ascii>>,
    path: &str,
    body: impl Into<Bytes>,
) -> Result<Bytes, Status> {
    let mut grpc = tonic::client::Grpc::new(client.channel());
    grpc.ready().await.expect("the service listens");
    let mut request = Request::new(body.into());
    if let Some(value) = authorization {
        request.metadata_mut().insert("authorization", value);
    }
    let path: PathAndQuery = path.parse().expect("a path");
    grpc.unary(request, path, BytesCodec).await.map(tonic::Response::into_inner)
}
