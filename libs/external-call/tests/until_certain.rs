//! A call is repeated until its outcome is certain: against a small HTTP server that answers from a list.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use backstitch_external_call::{CallSettings, Calls, Reply, read};
use reqwest::Client;
use tokio::net::TcpListener;

type Answers = Arc<Mutex<VecDeque<(u16, &'static str)>>>;

struct Foreign {
    url: String,
    answers: Answers,
    client: Client,
    calls: Calls,
}

impl Foreign {
    async fn answering<const N: usize>(answers: [(u16, &'static str); N]) -> Self {
        let answers: Answers = Arc::new(Mutex::new(answers.into()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let app = Router::new().route("/", get(next)).with_state(answers.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let settings =
            CallSettings { delay_first_ms: 0, delay_max_ms: 0, breaker_open_ms: 0, ..CallSettings::default() };
        Self { url, answers, client: Client::new(), calls: Calls::new("foreign", settings) }
    }

    async fn ask(&self) -> Reply<u32> {
        self.calls.until_certain(async || read(self.client.get(&self.url).send().await).await).await
    }

    fn unused(&self) -> usize {
        self.answers.lock().unwrap().len()
    }
}

async fn next(State(answers): State<Answers>) -> (StatusCode, &'static str) {
    let (status, body) = answers.lock().unwrap().pop_front().unwrap();
    (StatusCode::from_u16(status).unwrap(), body)
}

#[tokio::test]
async fn failures_and_unreadable_answers_are_asked_again() {
    let foreign = Foreign::answering([(500, ""), (503, ""), (429, ""), (401, ""), (200, "what?"), (200, "7")]).await;
    assert_eq!(foreign.ask().await, Reply::Said(7));
    assert_eq!(foreign.unused(), 0);
}

#[tokio::test]
async fn a_definite_no_is_not_asked_again() {
    let foreign = Foreign::answering([(422, "no such currency"), (200, "7")]).await;
    assert_eq!(foreign.ask().await, Reply::Refused { status: 422, text: "no such currency".to_owned() });
    assert_eq!(foreign.unused(), 1);
}

#[tokio::test]
async fn not_knowing_the_thing_is_an_answer_too() {
    let foreign = Foreign::answering([(404, "")]).await;
    assert_eq!(foreign.ask().await, Reply::NothingKnown);
}

#[tokio::test]
async fn an_outage_longer_than_the_breaker_allows_heals_by_itself() {
    let foreign = Foreign::answering([(500, ""); 50]).await;
    foreign.answers.lock().unwrap().push_back((200, "7"));
    assert_eq!(foreign.ask().await, Reply::Said(7));
}
