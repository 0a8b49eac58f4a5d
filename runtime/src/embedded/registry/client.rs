//! Requests to one repository of a registry.
//!
//! A registry that wants to know who asks says where to get a token: it is fetched once, with the credentials that
//! there are or with none, and sent along from then on. Through redirects, which lead to other hosts, it does not go.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use ureq::http::{Request, Response};
use ureq::{Agent, Body, SendBody};

use crate::failure::{Failure, Outcome};

/// How long a registry may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// How often a request is made that may go better another time.
const ATTEMPTS: u32 = 4;

/// The longest text that an answer may be.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// A repository of a registry.
pub struct Client {
    agent: Agent,
    /// Such as `https://registry.example:5000`.
    base: String,
    /// Such as `library/busybox`.
    repository: String,
    credentials: Option<DockerCredentials>,
    /// What is sent along to say who asks.
    authorization: Mutex<Option<String>>,
    /// What the token is to be good for.
    actions: &'static str,
}

/// The name of an image in its parts.
pub struct Place {
    /// The registry's host.
    pub host: String,
    /// The repository there.
    pub repository: String,
    /// A tag or a digest.
    pub reference: String,
}

impl Place {
    /// Takes a full name apart.
    pub fn of(full: &str) -> Outcome<Self> {
        let (host, rest) = full.split_once('/').ok_or_else(|| Failure::new(format!("`{full}` names no registry")))?;
        let (repository, reference) = match rest.split_once('@') {
            Some((repository, digest)) => (repository, digest),
            None => rest.rsplit_once(':').unwrap_or((rest, "latest")),
        };
        // A name may have both; then the digest decides.
        let repository = if reference.contains(':') {
            repository.split_once(':').map_or(repository, |(repository, _)| repository)
        } else {
            repository
        };
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), reference: reference.to_owned() })
    }

    fn base(&self) -> String {
        let host = if self.host == "docker.io" { "registry-1.docker.io" } else { self.host.as_str() };
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        // As the usual engines have it: a registry on this very machine needs no certificate.
        let is_here = name == "localhost" || name.starts_with("127.") || name == "[::1]";
        format!("{}://{host}", if is_here { "http" } else { "https" })
    }
}

/// What is sent with a request.
pub enum Sent<'s> {
    /// Nothing.
    Nothing,
    /// Nothing, for a range of bytes.
    Range(&'s str),
    /// A text of a kind.
    Text(&'s str, &'s str),
    /// So many bytes.
    Bytes(&'s mut dyn Read, u64),
}

impl Client {
    /// Makes a client for a repository, to `pull` or to `pull,push`.
    pub fn new(place: &Place, credentials: Option<DockerCredentials>, actions: &'static str) -> Self {
        let agent = Agent::config_builder()
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .http_status_as_error(false)
            .user_agent(concat!("rpk/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Self {
            agent,
            base: place.base(),
            repository: place.repository.clone(),
            credentials,
            authorization: Mutex::new(None),
            actions,
        }
    }

    /// Returns the address of something in the repository.
    pub fn address(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.base, self.repository)
    }

    /// Makes an address that the registry gave whole.
    pub fn whole(&self, address: &str) -> String {
        if address.starts_with('/') { format!("{}{address}", self.base) } else { address.to_owned() }
    }

    /// Asks for bytes, from somewhere on if a range is given.
    pub fn ask_range(&self, address: &str, range: Option<&str>) -> Outcome<Response<Body>> {
        self.ask("GET", address, "", range.map_or(Sent::Nothing, Sent::Range))
    }

    /// Makes a request; tries again what may go better another time, unless a stream was sent.
    pub fn ask(&self, method: &str, address: &str, accept: &str, mut sent: Sent<'_>) -> Outcome<Response<Body>> {
        let mut is_known = self.authorization().is_some();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let asked = self.once(method, address, accept, &mut sent);
            let may_repeat = !matches!(sent, Sent::Bytes(..)) && attempt < ATTEMPTS;
            match asked {
                Ok(answer) if answer.status() == 401 && !is_known => {
                    let wanted = answer.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
                    let wanted = wanted.unwrap_or_default().to_owned();
                    self.introduce(&wanted)?;
                    is_known = true;
                    if matches!(sent, Sent::Bytes(..)) {
                        return Err(Failure::new("the registry asked anew who sends"));
                    }
                }
                Ok(answer) if may_repeat && (answer.status().is_server_error() || answer.status() == 429) => {
                    std::thread::sleep(Duration::from_millis(250 << attempt));
                }
                Ok(answer) => return Ok(answer),
                Err(error) if may_repeat && is_passing(&error) => {
                    std::thread::sleep(Duration::from_millis(250 << attempt));
                }
                Err(error) => return Err(Failure::new(error.to_string()).context(format!("asking {}", self.base))),
            }
        }
    }

    fn once(
        &self,
        method: &str,
        address: &str,
        accept: &str,
        sent: &mut Sent<'_>,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::builder().method(method).uri(address);
        if !accept.is_empty() {
            request = request.header("accept", accept);
        }
        if let Some(authorization) = self.authorization() {
            request = request.header("authorization", authorization);
        }
        match sent {
            Sent::Range(range) => self.agent.run(request.header("range", *range).body(())?),
            Sent::Nothing if matches!(method, "GET" | "HEAD") => self.agent.run(request.body(())?),
            Sent::Nothing => self.agent.run(request.header("content-length", "0").body(Vec::new())?),
            Sent::Text(kind, text) => self.agent.run(request.header("content-type", *kind).body(*text)?),
            Sent::Bytes(bytes, length) => {
                let request = request
                    .header("content-type", "application/octet-stream")
                    .header("content-length", length.to_string());
                self.agent.run(request.body(SendBody::from_reader(bytes))?)
            }
        }
    }

    fn authorization(&self) -> Option<String> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does what a registry wants for knowing who asks.
    fn introduce(&self, wanted: &str) -> Outcome<()> {
        let (scheme, rest) = wanted.split_once(' ').unwrap_or((wanted, ""));
        let found = match scheme.to_ascii_lowercase().as_str() {
            "basic" => self.basic().ok_or_else(|| {
                Failure::new(format!("{} wants a login", self.base)).help("log in with `docker login`, or set `login`")
            })?,
            "bearer" => format!("Bearer {}", self.token(&parameters(rest))?),
            _ => return Err(Failure::new(format!("{} wants a login of an unknown kind, `{scheme}`", self.base))),
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok(())
    }

    fn basic(&self) -> Option<String> {
        let credentials = self.credentials.as_ref()?;
        let (name, word) = (credentials.username.as_ref()?, credentials.password.as_ref()?);
        Some(format!("Basic {}", STANDARD.encode(format!("{name}:{word}"))))
    }

    fn token(&self, parameters: &BTreeMap<String, String>) -> Outcome<String> {
        #[derive(Deserialize)]
        struct Given {
            #[serde(default)]
            token: String,
            #[serde(default)]
            access_token: String,
        }
        let realm =
            parameters.get("realm").ok_or_else(|| Failure::new("the registry does not say where tokens are"))?;
        let service = parameters.get("service").map_or("", String::as_str);
        let scope = format!("repository:{}:{}", self.repository, self.actions);
        let getting = |reason: String| Failure::new(reason).context(format!("getting a token from {realm}"));
        let identity = self.credentials.as_ref().and_then(|credentials| credentials.identitytoken.clone());
        let asked = match identity {
            Some(identity) => self.agent.post(realm).send_form([
                ("grant_type", "refresh_token"),
                ("service", service),
                ("scope", scope.as_str()),
                ("refresh_token", identity.as_str()),
                ("client_id", "rpk"),
            ]),
            None => {
                let mut request = self.agent.get(realm).query("service", service).query("scope", &scope);
                if let Some(basic) = self.basic() {
                    request = request.header("authorization", basic);
                }
                request.call()
            }
        };
        let mut answer = asked.map_err(|error| getting(error.to_string()))?;
        if !answer.status().is_success() {
            let failure = getting(format!("it answered {}", answer.status()));
            return Err(failure.help("check the login: `docker login`, or `login_username` and `login_password`"));
        }
        let text = text(&mut answer)?;
        let given: Given = serde_json::from_str(&text).map_err(|error| getting(error.to_string()))?;
        let token = if given.token.is_empty() { given.access_token } else { given.token };
        if token.is_empty() { Err(getting("it gave none".to_owned())) } else { Ok(token) }
    }
}

/// Reads an answer's text.
pub fn text(answer: &mut Response<Body>) -> Outcome<String> {
    let mut text = String::new();
    let mut body = answer.body_mut().as_reader().take(MAX_TEXT_BYTES);
    body.read_to_string(&mut text).map_err(|error| Failure::new(error.to_string()).context("reading an answer"))?;
    Ok(text)
}

/// Makes a failure of an answer that was not hoped for.
pub fn refused(answer: &mut Response<Body>, what: &str) -> Failure {
    #[derive(Deserialize)]
    struct Said {
        errors: Vec<Reason>,
    }
    #[derive(Deserialize)]
    struct Reason {
        #[serde(default)]
        message: String,
    }
    let status = answer.status();
    let said: Option<Said> = text(answer).ok().and_then(|text| serde_json::from_str(&text).ok());
    let reasons: Vec<String> = said.into_iter().flat_map(|said| said.errors).map(|reason| reason.message).collect();
    let reason = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
    Failure::new(format!("the registry answered {status}{reason}")).context(what)
}

fn is_passing(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed => true,
        ureq::Error::Io(error) => error.kind() != io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

/// Reads `key="value",key=value`.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.insert(key.trim().to_ascii_lowercase(), value.to_owned());
        rest = left.trim_start_matches([',', ' ']);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_for_their_registries() {
        for (full, base, repository, reference) in [
            ("docker.io/library/busybox:1", "https://registry-1.docker.io", "library/busybox", "1"),
            ("localhost:5000/a/b:c", "http://localhost:5000", "a/b", "c"),
            ("127.0.0.1:5000/a@sha256:00", "http://127.0.0.1:5000", "a", "sha256:00"),
            ("r.example/a:t@sha256:00", "https://r.example", "a", "sha256:00"),
        ] {
            let place = Place::of(full).expect("is a full name");
            assert_eq!(
                (place.base().as_str(), place.repository.as_str(), place.reference.as_str()),
                (base, repository, reference)
            );
        }
    }

    #[test]
    fn what_a_registry_wants_is_read() {
        let found = parameters(r#"realm="https://a/t?x=1",service="s,t",scope=none"#);
        assert_eq!(found["realm"], "https://a/t?x=1");
        assert_eq!((found["service"].as_str(), found["scope"].as_str()), ("s,t", "none"));
    }
}
