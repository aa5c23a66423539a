//! W3C trace context as it travels in headers and is stored with what outlives a process.

use backstitch_contracts::headers::{TRACEPARENT, TRACESTATE};
use serde::{Deserialize, Serialize};

use crate::{Delivery, Header};

/// The two header values of W3C trace context.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TraceContext {
    /// `version-traceid-spanid-flags`.
    pub traceparent: String,
    /// Vendor state, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
}

impl TraceContext {
    /// What a delivery carries, if anything.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Option<Self> {
        Some(Self {
            traceparent: delivery.header_text(TRACEPARENT)?.to_owned(),
            tracestate: delivery.header_text(TRACESTATE).map(str::to_owned),
        })
    }

    /// The headers that carry it on.
    pub fn headers(&self) -> impl Iterator<Item = Header> {
        let state = self.tracestate.clone().map(|state| (TRACESTATE.into(), state.into_bytes()));
        std::iter::once((TRACEPARENT.into(), self.traceparent.clone().into_bytes())).chain(state)
    }
}
