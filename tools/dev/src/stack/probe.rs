//! Whether a server answers in its own protocol: Kafka's metadata, Postgres's start-up, plain HTTP.
//!
//! Separate, and written by hand on sockets, because the tool must be built before any client library is.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::process::Identity;

const ANSWER: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_millis(50);

fn connect(port: u16) -> Result<TcpStream> {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let stream =
        TcpStream::connect_timeout(&address.into(), ANSWER).with_context(|| format!("nothing listens on {address}"))?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    Ok(stream)
}

/// Asks a broker for its metadata (version 1, no topics) and counts the brokers that it knows alive.
///
/// # Errors
/// When it does not answer, or the cluster has fewer brokers yet.
pub(super) fn kafka(port: u16, brokers: u16) -> Result<()> {
    const METADATA: i16 = 3;
    let client = b"backstitch-dev";
    let mut request = Vec::new();
    request.extend(METADATA.to_be_bytes());
    request.extend(1_i16.to_be_bytes());
    request.extend(7_i32.to_be_bytes());
    request.extend(i16::try_from(client.len())?.to_be_bytes());
    request.extend(client);
    request.extend(0_i32.to_be_bytes());
    let mut stream = connect(port)?;
    stream.write_all(&i32::try_from(request.len())?.to_be_bytes())?;
    stream.write_all(&request)?;
    // Size, correlation id, number of brokers.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).context("the broker hung up")?;
    let alive = i32::from_be_bytes([answer[8], answer[9], answer[10], answer[11]]);
    ensure!(alive == i32::from(brokers), "{alive} of {brokers} brokers are alive");
    Ok(())
}

/// Opens a session as far as the server's question for a password: it asks only once it would let one in.
///
/// # Errors
/// When it does not answer, or is still starting.
pub(super) fn postgres(port: u16) -> Result<()> {
    let mut request = Vec::new();
    request.extend(196_608_i32.to_be_bytes());
    request.extend(b"user\0postgres\0database\0postgres\0\0");
    let mut stream = connect(port)?;
    stream.write_all(&i32::try_from(request.len() + 4)?.to_be_bytes())?;
    stream.write_all(&request)?;
    let mut kind = [0];
    stream.read_exact(&mut kind).context("the server hung up")?;
    ensure!(kind[0] == b'R', "the server is not ready yet");
    Ok(())
}

/// Expects a 2xx answer to a GET.
///
/// # Errors
/// When there is no answer or another one.
pub(crate) fn http(port: u16, path: &str) -> Result<()> {
    let (status, _) = get(port, path)?;
    ensure!((200..300).contains(&status), "{path} answers {status}");
    Ok(())
}

/// A GET, without keeping the connection: status and body as text.
///
/// # Errors
/// When there is no answer or one that is not HTTP.
pub fn get(port: u16, path: &str) -> Result<(u16, String)> {
    request(port, &format!("GET {path}"), "")
}

/// A POST of JSON, without keeping the connection: status and body as text.
///
/// # Errors
/// When there is no answer or one that is not HTTP.
pub(crate) fn post(port: u16, path: &str, json: &str) -> Result<(u16, String)> {
    let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
    request(port, &format!("POST {path}"), &format!("{fields}\r\n{json}"))
}

/// `rest` is what follows the fields that every request has: its own fields, an empty line, and the body.
fn request(port: u16, verb_and_path: &str, rest: &str) -> Result<(u16, String)> {
    let mut stream = connect(port)?;
    // In one piece: a server may answer and hang up as soon as it has seen enough.
    let usual = format!("Host: 127.0.0.1:{port}\r\nAccept: */*\r\nConnection: close\r\n");
    let end = if rest.is_empty() { "\r\n" } else { rest };
    stream.write_all(format!("{verb_and_path} HTTP/1.1\r\n{usual}{end}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("no answer")?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).context("the answer is not HTTP")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

/// Repeats `probe` until it succeeds.
///
/// # Errors
/// When the process ends or the deadline passes first; the message carries the last failure and the end of the log.
pub(crate) fn until_ready(
    process: Identity,
    log: &Path,
    patience: Duration,
    probe: impl Fn() -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        let Err(failure) = probe() else { return Ok(()) };
        if !process.is_alive() {
            bail!("it ended while starting; {}", tail(log));
        }
        if Instant::now() > deadline {
            return Err(failure.context(format!("not ready after {} s; {}", patience.as_secs(), tail(log))));
        }
        std::thread::sleep(INTERVAL);
    }
}

/// The end of a log, with its path.
#[must_use]
pub fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(15)..].join("\n  | ");
    format!("the end of {}:\n  | {last}", log.display())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::{get, http, postgres};

    fn answering(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 512];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(answer);
            }
        });
        port
    }

    #[test]
    fn a_server_that_answers_503_is_not_ready() {
        let port = answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\nno broker");
        assert_eq!(get(port, "/readyz").unwrap(), (503, "no broker".to_owned()));
        assert_eq!(http(port, "/readyz").unwrap_err().to_string(), "/readyz answers 503");
    }

    #[test]
    fn a_postgres_that_is_still_starting_is_not_ready() {
        assert!(postgres(answering(b"E")).is_err());
        assert!(postgres(answering(b"R")).is_ok());
    }
}
