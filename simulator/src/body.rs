//! The bodies of answers: honest ones, and those that no honest server sends.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;

/// Any body. An error in it makes hyper drop the connection where it stands.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

/// No body.
pub(crate) fn none() -> AnswerBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of known length.
pub(crate) fn whole(bytes: Bytes) -> AnswerBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// The first half of the bytes, then the end of the connection.
pub(crate) fn truncated(bytes: &Bytes) -> AnswerBody {
    let half = bytes.slice(..bytes.len() / 2);
    let cut = async {
        // hyper flushes only when the body makes it wait: without this the client would not even see the head.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    };
    streamed(stream::once(async { Ok(half) }).chain(stream::once(cut)))
}

/// An array of webhooks that never ends.
pub(crate) fn endless() -> AnswerBody {
    let item = concat!(
        r#"{"_id":"000000000000000000000000","name":"endless","url":"https://example.com","headers":{},"#,
        r#""active":true,"events":["deployment.build.created"]},"#
    );
    let piece = Bytes::from(item.repeat(400));
    streamed(stream::once(async { Ok(Bytes::from_static(b"[")) }).chain(stream::repeat_with(move || Ok(piece.clone()))))
}

/// The bytes one by one, with a pause before each.
pub(crate) fn slow(bytes: Bytes, pause: Duration) -> AnswerBody {
    streamed(stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let byte = rest.split_to(1);
        Some((Ok(byte), rest))
    }))
}

fn streamed(bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> AnswerBody {
    StreamBody::new(bytes.map(|piece| piece.map(Frame::data))).boxed_unsync()
}
