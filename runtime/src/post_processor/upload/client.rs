//! One request, repeated where that may help.
//!
//! What may pass is tried again after a while that doubles: a server that is out of reach, silent or overloaded. What
//! will not pass is told at once: a refusal, a place that is not there.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use ureq::http::{HeaderMap, Request, StatusCode};
use ureq::{Agent, SendBody};

use crate::failure::{Failure, FailureKind, Outcome};

/// The first pause.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest pause, also where the server asks for a longer one.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// How long a server may take to say that it wants the body; then it is sent anyway.
const CONTINUE_AFTER: Duration = Duration::from_millis(500);

/// From this size on the server is asked before the body is sent.
const LARGE_BYTES: u64 = 1 << 20;

/// A longer answer is of no use.
const MAX_ANSWER_BYTES: u64 = 4 << 20;

/// What a request is to be.
pub(super) struct Asked {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(String, String)>,
}

/// What goes along with a request.
#[derive(Clone, Copy)]
pub(super) enum Body<'b> {
    None,
    Bytes(&'b [u8]),
    File(&'b Path, u64),
}

/// What the server said.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// Returns a header's value.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Makes requests.
pub(super) struct Client {
    agent: Agent,
    attempts: u32,
    silence: Duration,
    /// Told to stop when the run is.
    pub(super) cancel: CancellationToken,
    say: UnboundedSender<String>,
}

/// Why an attempt came to nothing.
enum Miss {
    /// It may go better another time, at the earliest after a pause that the server asked for.
    Passing(Failure, Option<Duration>),
    /// It will not.
    Lasting(Failure),
}

impl Client {
    /// Makes a client that tries each request so often.
    pub(super) fn new(
        attempts: u32,
        silence: Duration,
        cancel: CancellationToken,
        say: UnboundedSender<String>,
    ) -> Self {
        let agent = Agent::config_builder()
            .timeout_connect(Some(silence))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .timeout_per_write(Some(silence))
            .timeout_await_100(Some(CONTINUE_AFTER))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        Self { agent, attempts, silence, cancel, say }
    }

    /// Says something to the user.
    pub(super) fn say(&self, text: String) {
        // The node may have been told to stop, and listens no more.
        let _ = self.say.send(text);
    }

    /// Makes a request until it is answered with success, or cannot be; `ask` makes each attempt's headers.
    ///
    /// # Errors
    ///
    /// Fails if the server refuses, or does not answer in any attempt.
    pub(super) fn send(&self, ask: &dyn Fn() -> Asked, body: Body<'_>) -> Outcome<Answer> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            if self.cancel.is_cancelled() {
                return Err(Failure::cancelled());
            }
            match self.attempt(ask(), body) {
                Ok(answer) => return Ok(answer),
                Err(Miss::Lasting(failure)) => return Err(failure),
                Err(Miss::Passing(failure, _)) if attempt >= self.attempts => {
                    return Err(if attempt == 1 {
                        failure
                    } else {
                        failure.context(format!("{attempt} attempts have failed"))
                    });
                }
                Err(Miss::Passing(failure, asked)) => {
                    let wait = asked.unwrap_or(pause).min(MAX_PAUSE);
                    self.say(format!("{failure}; trying again in {:.1} s", wait.as_secs_f64()));
                    self.wait(wait)?;
                    pause *= 2;
                }
            }
        }
        Err(Failure::cancelled())
    }

    fn wait(&self, wait: Duration) -> Outcome<()> {
        let until = std::time::Instant::now() + wait;
        while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
            if self.cancel.is_cancelled() {
                return Err(Failure::cancelled());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        Ok(())
    }

    fn attempt(&self, asked: Asked, body: Body<'_>) -> Result<Answer, Miss> {
        let lasting = |error: &dyn std::fmt::Display| Miss::Lasting(Failure::new(error.to_string()));
        let mut request = Request::builder().method(asked.method).uri(&asked.url);
        for (name, value) in &asked.headers {
            request = request.header(name, value);
        }
        let length = match body {
            Body::None => None,
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::File(_, size) => Some(size),
        };
        if let Some(length) = length {
            request = request.header("content-length", length);
            if length >= LARGE_BYTES {
                request = request.header("expect", "100-continue");
            }
        }
        let unfit = |error: ureq::http::Error| lasting(&error);
        let sent = match body {
            Body::None => self.agent.run(request.body(SendBody::none()).map_err(unfit)?),
            Body::Bytes(bytes) => {
                let mut reader = Watched { reader: bytes, cancel: &self.cancel };
                self.agent.run(request.body(SendBody::from_reader(&mut reader)).map_err(unfit)?)
            }
            Body::File(path, size) => {
                let file = File::open(path).map_err(|error| lasting(&error))?;
                let mut reader = Watched { reader: file.take(size), cancel: &self.cancel };
                self.agent.run(request.body(SendBody::from_reader(&mut reader)).map_err(unfit)?)
            }
        };
        let mut response = sent.map_err(|error| self.explain(&error))?;
        let status = response.status();
        let headers = response.headers().clone();
        let read = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        // A refusal counts even if its words do not arrive.
        let body =
            if status.is_success() { read.map_err(|error| self.explain(&error))? } else { read.unwrap_or_default() };
        let answer = Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() };
        if status.is_success() { Ok(answer) } else { Err(refused(&answer)) }
    }

    fn explain(&self, error: &ureq::Error) -> Miss {
        match error {
            _ if self.cancel.is_cancelled() => Miss::Lasting(Failure::cancelled()),
            ureq::Error::Timeout(_) => Miss::Passing(
                Failure::new(format!("the server has been silent for {} s", self.silence.as_secs_f64()))
                    .help("see whether the server is well, or set a longer `timeout`"),
                None,
            ),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::Tls(_) | ureq::Error::Rustls(_) => {
                Miss::Lasting(Failure::new(error.to_string()))
            }
            _ => Miss::Passing(Failure::new(error.to_string()).help("see whether the server can be reached"), None),
        }
    }
}

/// Says what an answer that is no success means.
fn refused(answer: &Answer) -> Miss {
    let status = answer.status;
    let words = words(&answer.body);
    let text = if words.is_empty() {
        format!("the server answered {status}")
    } else {
        format!("the server answered {status}: {words}")
    };
    let failure = Failure::new(text);
    match status.as_u16() {
        408 | 425 | 429 | 500 | 502 | 503 | 504 => {
            let asked = answer.header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
            Miss::Passing(failure, asked.map(Duration::from_secs))
        }
        401 | 403 => Miss::Lasting(failure.help("check the credentials: `headers`, `access_key` and `secret_key`")),
        404 => Miss::Lasting(failure.help("check `url`: the server has no such place, or no such bucket")),
        300..=399 => {
            let elsewhere = answer.header("location").unwrap_or("another address");
            Miss::Lasting(failure.help(format!("the server points to {elsewhere}: set `url`, or `region`")))
        }
        405 => Miss::Lasting(failure.help("the server takes no uploads by PUT at this address")),
        413 => Miss::Lasting(failure.help("the server takes no file of this size")),
        _ => Miss::Lasting(failure),
    }
}

/// Picks the words for people from an answer.
fn words(body: &str) -> String {
    let code = super::s3::element(body, "Code");
    let text = match (code, super::s3::element(body, "Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ if body.trim_start().starts_with('<') => String::new(),
        _ => body.trim().lines().next().unwrap_or_default().to_owned(),
    };
    text.chars().take(200).collect()
}

/// A reader that stops with the run.
struct Watched<'w, R> {
    reader: R,
    cancel: &'w CancellationToken,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        self.reader.read(buffer)
    }
}

/// Tells whether a failure is one that another run may not have.
pub(super) fn is_interruption(failure: &Failure) -> bool {
    failure.kind == FailureKind::Cancelled || failure.chain.iter().any(|line| line.ends_with("attempts have failed"))
}
