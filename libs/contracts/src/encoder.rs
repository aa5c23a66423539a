//! Envelopes to bytes. Separate from decoding: here one schema is known and the value may be wrong, there it is the
//! other way round.

use uuid::Uuid;

use crate::avro::{At, SchemaError, WriteProblem, readable, write, write_bytes, write_long};
use crate::layout::Layout;
use crate::{Envelope, frame, member_name};

/// Writes the envelopes of one topic.
pub struct Encoder {
    layout: Layout,
    schema_id: u32,
    name: String,
}

/// Why an envelope cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The topic does not carry this type or version.
    #[error("the schema `{schema}` has no member `{member}`")]
    UnknownMember {
        /// The envelope schema's full name.
        schema: String,
        /// The member looked for.
        member: String,
    },
    /// A field is missing, of a wrong type, or not in the schema.
    #[error("`{path}` cannot be written: {problem}")]
    Field {
        /// Where, from the envelope on.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("schema", &self.name)
            .field("schema_id", &self.schema_id)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder by a topic's schema, which the registry knows by this id.
    ///
    /// # Errors
    /// [`SchemaError`] if the text is no schema, or not one of an envelope as ours.
    pub fn new(schema: &str, schema_id: u32) -> Result<Self, SchemaError> {
        let layout = Layout::parse(schema)?;
        let name = layout.shapes.record(layout.shapes.root()).map(|record| record.name.clone()).unwrap_or_default();
        Ok(Self { layout, schema_id, name })
    }

    /// The id it writes before the data.
    #[must_use]
    pub const fn schema_id(&self) -> u32 {
        self.schema_id
    }

    /// The envelope as the value of a record: magic byte, schema id, Avro.
    ///
    /// # Errors
    /// [`EncodeError`] if the topic does not carry this type and version, or a field is missing or wrong.
    pub fn encode(&self, envelope: &Envelope) -> Result<Vec<u8>, EncodeError> {
        let member = member_name(&envelope.event_type, envelope.event_version);
        let Some((index, node)) = self.layout.members.get(&member).copied() else {
            return Err(EncodeError::UnknownMember { schema: self.name.clone(), member });
        };
        if !readable(envelope.occurred_at) {
            let problem = "a time in the years 0 to 9999 is expected".to_owned();
            return Err(EncodeError::Field { path: "occurred_at".to_owned(), problem });
        }
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(&frame(self.schema_id));
        write_head(envelope, &mut out);
        write_long(i64::try_from(index).unwrap_or(i64::MAX), &mut out);
        write(&self.layout.shapes, node, &envelope.data, &mut out).map_err(wrong_data)?;
        Ok(out)
    }
}

fn wrong_data(error: At<WriteProblem>) -> EncodeError {
    let At { path, problem } = error.in_field("data");
    EncodeError::Field { path: path.to_string(), problem: problem.to_string() }
}

/// All fields before `data`, in the order that [`Layout`] has checked.
fn write_head(envelope: &Envelope, out: &mut Vec<u8>) {
    write_uuid(envelope.event_id, out);
    write_bytes(envelope.event_type.as_bytes(), out);
    write_long(i64::from(envelope.event_version), out);
    write_bytes(envelope.aggregate_id.as_bytes(), out);
    write_bytes(envelope.aggregate_type.as_bytes(), out);
    write_long(envelope.occurred_at.timestamp_micros(), out);
    write_uuid(envelope.correlation_id, out);
    write_long(i64::from(envelope.causation_id.is_some()), out);
    if let Some(id) = envelope.causation_id {
        write_uuid(id, out);
    }
    write_long(i64::from(envelope.user_id.is_some()), out);
    if let Some(user) = &envelope.user_id {
        write_bytes(user.as_bytes(), out);
    }
    if !envelope.metadata.is_empty() {
        write_long(i64::try_from(envelope.metadata.len()).unwrap_or(i64::MAX), out);
    }
    for (key, value) in &envelope.metadata {
        write_bytes(key.as_bytes(), out);
        write_bytes(value.as_bytes(), out);
    }
    out.push(0);
}

fn write_uuid(id: Uuid, out: &mut Vec<u8>) {
    write_bytes(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes(), out);
}
