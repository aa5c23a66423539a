//! The five bytes before the Avro data: a zero and the schema's id. Separate, because tools look at them alone.

/// Bytes before the data.
pub(crate) const HEADER_BYTES: usize = 5;

/// Begins a value: magic byte and schema id, big-endian.
#[must_use]
pub fn frame(schema_id: u32) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = schema_id.to_be_bytes();
    [0, a, b, c, d]
}

/// The schema id and the data, if the bytes are framed at all.
pub(crate) fn unframe(bytes: &[u8]) -> Option<(u32, &[u8])> {
    match bytes {
        [0, a, b, c, d, data @ ..] => Some((u32::from_be_bytes([*a, *b, *c, *d]), data)),
        _ => None,
    }
}

/// The schema id of a framed value.
#[must_use]
pub fn schema_id(bytes: &[u8]) -> Option<u32> {
    unframe(bytes).map(|(id, _)| id)
}
