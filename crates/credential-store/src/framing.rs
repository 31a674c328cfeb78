//! Several byte strings as one, each behind its length, so that no two different lists give the same bytes.

/// Calls `sink` with the pieces, in order.
pub(crate) fn frame(parts: &[&[u8]], mut sink: impl FnMut(&[u8])) {
    for part in parts {
        sink(&(part.len() as u64).to_be_bytes());
        sink(part);
    }
}

pub(crate) fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    frame(parts, |piece| bytes.extend_from_slice(piece));
    bytes
}
