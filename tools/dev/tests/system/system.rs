//! The system under test: the shared stack, brought into a known state before each test, and how to talk to it.
//!
//! Apart from the tests, so that a change of an interface is met in one place.

use std::future::Future;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use backstitch_dev::stack::Stack;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::definitions::{Timeouts, folder};

/// How long anything may take before a test gives up on it. Far more than it needs: machines are busy.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks at something that is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

const EVERYTHING: [&str; 9] =
    ["postgres", "kafka", "registry", "simulators", "order", "inventory", "payment", "shipping", "orchestrator"];

/// What all tests share.
pub(crate) struct System {
    stack: Stack,
    http: Client,
    runtime: Runtime,
    timeouts: Mutex<Option<Timeouts>>,
}

/// The whole system, running, with the timeouts as they ship.
pub(crate) fn system() -> Result<&'static System> {
    system_with(Timeouts::Shipped)
}

/// The whole system, running, with these timeouts.
pub(crate) fn system_with(timeouts: Timeouts) -> Result<&'static System> {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    if SYSTEM.get().is_none() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let http = Client::builder().timeout(Duration::from_secs(35)).build()?;
        let stack = Stack::up_shared()?;
        let _ = SYSTEM.set(System { stack, http, runtime, timeouts: Mutex::new(None) });
    }
    let system = SYSTEM.get().context("the system is set right above")?;
    system.make_whole(timeouts)?;
    Ok(system)
}

impl System {
    /// Undoes what an earlier test, perhaps a failed one, has left behind.
    fn make_whole(&self, timeouts: Timeouts) -> Result<()> {
        for replica in ["inventory#2", "orchestrator#2", "order#2"] {
            self.stack.stop(replica)?;
        }
        let current = *self.timeouts.lock().unwrap_or_else(PoisonError::into_inner);
        if current != Some(timeouts) {
            self.stack.stop("orchestrator")?;
            *self.timeouts.lock().unwrap_or_else(PoisonError::into_inner) = Some(timeouts);
        }
        for name in EVERYTHING {
            // One that was frozen runs, and does not answer.
            let _ = self.stack.thaw(name);
            self.start(name)?;
        }
        for name in &EVERYTHING[4..] {
            self.until(&format!("{name} is ready"), || self.is_ready(name))?;
        }
        Ok(())
    }

    /// Starts a component as this test runs it; nothing happens if it runs.
    pub(crate) fn start(&self, name: &str) -> Result<()> {
        if !name.starts_with("orchestrator") {
            return self.stack.start(name, &[]);
        }
        let timeouts = self.timeouts.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(Timeouts::Shipped);
        let folder = folder(timeouts, self.stack.layout().root())?.display().to_string();
        self.stack.start(name, &[("BACKSTITCH_SAGAS__DIR", &folder)])
    }

    /// Ends a component in good order.
    pub(crate) fn stop(&self, name: &str) -> Result<()> {
        self.stack.stop(name)
    }

    /// Ends a component as a power cut does.
    pub(crate) fn kill(&self, name: &str) -> Result<()> {
        self.stack.kill(name)
    }

    /// A component's machine stands still.
    pub(crate) fn freeze(&self, name: &str) -> Result<()> {
        self.stack.freeze(name)
    }

    /// And goes on as if nothing had happened.
    pub(crate) fn thaw(&self, name: &str) -> Result<()> {
        self.stack.thaw(name)
    }

    /// Whether a service says that it can work.
    pub(crate) fn is_ready(&self, name: &str) -> Result<bool> {
        let url = format!("{}/readyz", self.stack.http_url(name)?);
        Ok(self.block_on(async { self.http.get(url).send().await }).is_ok_and(|answer| answer.status().is_success()))
    }

    /// What a counter of a replica has come to, over all labels that have this among them; 0 while it has none.
    pub(crate) fn counted(&self, name: &str, counter: &str, label: &str) -> Result<u64> {
        let url = format!("{}/metrics", self.stack.http_url(name)?);
        let text = self.block_on(async { self.http.get(url).send().await?.text().await })?;
        let lines = text.lines().filter(|line| line.starts_with(counter) && line.contains(label));
        lines.map(|line| Ok(line.rsplit(' ').next().unwrap_or_default().parse::<u64>()?)).sum()
    }

    /// How many lanes a replica owns, as its metrics say.
    pub(crate) fn lanes_of(&self, name: &str) -> Result<u32> {
        let url = format!("{}/metrics", self.stack.http_url(name)?);
        let text = self.block_on(async { self.http.get(url).send().await?.text().await })?;
        let line = text.lines().find(|line| line.starts_with("lanes_owned"));
        let number = line.and_then(|line| line.rsplit(' ').next()).with_context(|| format!("{name} tells no lanes"))?;
        Ok(number.parse()?)
    }

    /// Starts a second replica and waits until the lanes are shared out between both.
    pub(crate) fn start_beside(&self, first: &str, second: &str) -> Result<()> {
        self.start(second)?;
        self.until(&format!("{first} and {second} share the lanes"), || {
            Ok(self.is_ready(second)? && self.lanes_of(first)? > 0 && self.lanes_of(second)? > 0)
        })
    }

    /// The stack below.
    pub(crate) const fn stack(&self) -> &Stack {
        &self.stack
    }

    /// A variable of the written environment.
    pub(crate) fn env(&self, name: &str) -> Result<String> {
        self.stack.env()?.remove(name).with_context(|| format!("the stack's environment has no {name}"))
    }

    /// Runs something to its end.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// A GET; nothing where there is nothing (404).
    pub(crate) async fn find(&self, component: &str, path: &str) -> Result<Option<Value>> {
        let url = format!("{}{path}", self.stack.http_url(component)?);
        let answer = self.http.get(&url).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("GET {url} answered {status}: {text}");
        }
        Ok(Some(serde_json::from_str(&text)?))
    }

    /// A GET of something that is there.
    pub(crate) async fn get(&self, component: &str, path: &str) -> Result<Value> {
        self.find(component, path).await?.with_context(|| format!("{component} knows nothing at {path}"))
    }

    /// A POST with the administrator's token.
    pub(crate) async fn post(&self, component: &str, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.stack.http_url(component)?);
        let answer = self.http.post(&url).bearer_auth(self.env("ADMIN_TOKEN")?).json(body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("POST {url} answered {status}: {text}");
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Waits until `condition` holds. What goes wrong while looking counts as "not yet": servers are being killed.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
        self.until_some(what, || Ok(condition()?.then_some(())))
    }

    /// Waits until there is something, and answers it.
    pub(crate) fn until_some<T>(&self, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = look();
            if let Ok(Some(found)) = seen {
                return Ok(found);
            }
            if Instant::now() > deadline {
                let context = format!("after {} s it is still not so that {what}", PATIENCE.as_secs());
                return Err(seen
                    .err()
                    .map_or_else(|| anyhow::anyhow!(context.clone()), |error| error.context(context.clone())));
            }
            self.block_on(async { tokio::time::sleep(LOOK_AGAIN).await });
        }
    }

    /// Tries until it succeeds.
    pub(crate) async fn again_and_again<T, F: Future<Output = Result<T>>>(
        &self,
        what: &str,
        attempt: impl Fn() -> F,
    ) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match attempt().await {
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context(format!("it never came to be that {what}")));
                }
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
                done => return done,
            }
        }
    }

    /// Waits until so much time has passed since `since`: for tests whose subject is time itself.
    pub(crate) fn until_passed(&self, since: Instant, time: Duration) {
        let left = (since + time).saturating_duration_since(Instant::now());
        self.block_on(async { tokio::time::sleep(left).await });
    }
}
