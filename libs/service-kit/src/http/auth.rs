//! Who calls, and what they may do. Separate from the routes: a handler that takes an [`Operator`] cannot forget to ask.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Problem;
use crate::config::{AuthSettings, Role, TokenSettings};

/// The known callers. Put it around routes with [`axum::Extension`], as [`super::app`] does.
#[derive(Clone)]
pub struct Guard {
    callers: Arc<[Known]>,
    read_requires_token: bool,
}

struct Known {
    caller: Caller,
    digest: [u8; 32],
}

/// Someone whose token is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name that is journaled.
    pub name: Arc<str>,
    /// What they may do.
    pub role: Role,
}

/// Taken by handlers that read: open to all, unless `auth.read_requires_token`.
#[derive(Debug, Clone)]
pub struct Viewer(pub Option<Caller>);

/// Taken by handlers that change something.
#[derive(Debug, Clone)]
pub struct Operator(pub Caller);

/// Taken by handlers that only administrators may call.
#[derive(Debug, Clone)]
pub struct Admin(pub Caller);

impl Guard {
    /// The callers of the settings.
    #[must_use]
    pub fn new(settings: &AuthSettings) -> Self {
        let known = |token: &TokenSettings| {
            let caller = Caller { name: token.name.as_str().into(), role: token.role };
            Some(Known { caller, digest: digest_of(token)? })
        };
        Self {
            callers: settings.tokens.iter().filter_map(known).collect(),
            read_requires_token: settings.read_requires_token,
        }
    }

    /// The caller with this token. Looks at all of them and compares digests in constant time, so that the time taken
    /// says nothing.
    fn recognise(&self, token: &str) -> Option<&Caller> {
        let presented = Sha256::digest(token.as_bytes());
        let mut found = None;
        for known in self.callers.iter() {
            if bool::from(known.digest.ct_eq(presented.as_slice())) {
                found = Some(&known.caller);
            }
        }
        found
    }

    fn admit(&self, parts: &Parts, needed: Role) -> Result<Caller, Problem> {
        let Some(token) = bearer(parts) else {
            return Err(unauthorised(format!(
                "this call needs the role {needed}: send `Authorization: Bearer TOKEN` with a token of `auth.tokens`"
            )));
        };
        let Some(caller) = self.recognise(token) else {
            return Err(unauthorised(format!(
                "the token is unknown here; this call needs one of `auth.tokens` with the role {needed}"
            )));
        };
        if caller.role < needed {
            let detail = format!("`{}` has the role {}; this call needs the role {needed}", caller.name, caller.role);
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
        }
        Ok(caller.clone())
    }
}

fn digest_of(token: &TokenSettings) -> Option<[u8; 32]> {
    if let Some(token) = &token.token {
        return Some(Sha256::digest(token.expose_secret().as_bytes()).into());
    }
    let hex = token.sha256.as_deref()?;
    let mut digest = [0; 32];
    for (byte, index) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(index..index + 2)?, 16).ok()?;
    }
    Some(digest)
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthorised(detail: String) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn guard(parts: &Parts) -> Result<&Guard, Problem> {
    let missing = || Problem::internal(&anyhow::anyhow!("a route asks for a caller and no guard is around it"));
    parts.extensions.get::<Guard>().ok_or_else(missing)
}

impl<S: Send + Sync> FromRequestParts<S> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let guard = guard(parts)?;
        if guard.read_requires_token {
            return guard.admit(parts, Role::Viewer).map(|caller| Self(Some(caller)));
        }
        Ok(Self(bearer(parts).and_then(|token| guard.recognise(token)).cloned()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        guard(parts)?.admit(parts, Role::Operator).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        guard(parts)?.admit(parts, Role::Admin).map(Self)
    }
}
