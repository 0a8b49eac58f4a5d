//! `http`: the answer of a web server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rpk_planner::catalog::{ComponentKind, ComponentSpec, Problem, Settings, string, string_map};
use rpk_planner::expression::types::Type;
use rpk_planner::expression::value::Value;
use serde::Deserialize;
use ureq::http::{Method, Request};

use super::DataSourceType;
use crate::failure::{Failure, Outcome};
use crate::settings::read_settings;

/// How long the server may take to be reached and to answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A longer answer is refused: it becomes a value, which is kept in memory.
const MAX_BODY_BYTES: u64 = 64 << 20;

/// The `http` data source type.
pub struct Http;

#[derive(Debug, Deserialize)]
struct Config {
    url: String,
    method: Option<String>,
    #[serde(default)]
    request_headers: BTreeMap<String, String>,
    request_body: Option<String>,
}

impl DataSourceType for Http {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::DataSource, "http")
            .options([
                string("url", "The address to ask.").required(),
                string("method", "The method of the request; GET if not given.")
                    .choices(&["HEAD", "GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
                string_map("request_headers", "Headers to send."),
                string("request_body", "The body to send."),
            ])
            .describe(|settings, _| {
                format!("ask {}", settings.get("url").and_then(|url| url.as_str()).unwrap_or_default())
            })
            .check(|settings| {
                let is_empty = settings.get("url").and_then(|url| url.as_str()).is_some_and(str::is_empty);
                if is_empty { vec![Problem::with("url", "the address is empty")] } else { Vec::new() }
            })
    }

    fn ask(&self, settings: &Settings) -> Outcome<Value> {
        let config: Config = read_settings(settings)?;
        let context = |failure: Failure| failure.context(format!("asking {}", config.url));
        ask(&config).map_err(context)
    }
}

fn ask(config: &Config) -> Outcome<Value> {
    let failure = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
    let method: Method = config
        .method
        .as_deref()
        .unwrap_or("GET")
        .parse()
        .map_err(|error: ureq::http::method::InvalidMethod| failure(&error))?;
    let mut request = Request::builder().method(method).uri(&config.url);
    for (name, value) in &config.request_headers {
        request = request.header(name, value);
    }
    let request = request.body(config.request_body.clone().unwrap_or_default()).map_err(|error| failure(&error))?;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .build()
        .into();
    let mut response = agent.run(request).map_err(|error| failure(&error))?;
    if !response.status().is_success() {
        return Err(Failure::new(format!("the server answered {}", response.status())));
    }
    let mut headers: BTreeMap<Arc<str>, String> = BTreeMap::new();
    for (name, value) in response.headers() {
        let text = String::from_utf8_lossy(value.as_bytes());
        // Several headers of one name are one, joined by commas (RFC 9110, section 5.2).
        headers
            .entry(Arc::from(canonical(name.as_str())))
            .and_modify(|known| known.push_str(&format!(", {text}")))
            .or_insert_with(|| text.into_owned());
    }
    let body =
        response.body_mut().with_config().limit(MAX_BODY_BYTES).read_to_vec().map_err(|error| failure(&error))?;
    let headers = headers.into_iter().map(|(name, value)| (name, Value::string(&value)));
    Ok(Value::object([
        (Arc::from("url"), Value::string(&config.url)),
        (Arc::from("body"), Value::string(&String::from_utf8_lossy(&body))),
        // Packer gives the headers of the answer under this name.
        (Arc::from("request_headers"), Value::map(Type::String, headers)),
    ]))
}

/// Writes a header's name as Go does: `Content-Type`.
fn canonical(name: &str) -> String {
    let capital = |part: &str| {
        let mut characters = part.chars();
        characters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + characters.as_str())
    };
    name.split('-').map(capital).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Answers one request and returns it.
    fn serve_once(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("is bound");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let mut request = [0; 4096];
            let count = stream.read(&mut request).expect("a request comes");
            stream.write_all(answer.as_bytes()).expect("the answer is taken");
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        (format!("http://{address}/x"), server)
    }

    fn settings(url: &str) -> Settings {
        let settings = serde_json::json!({ "url": url, "request_headers": { "X-One": "1" } });
        settings.as_object().cloned().expect("is an object")
    }

    #[test]
    fn an_answer_becomes_an_object() {
        let (url, server) =
            serve_once("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: 1\r\nx-a: 2\r\nconnection: close\r\n\r\nhello");
        let value = Http.ask(&settings(&url)).expect("answers");
        let members = value.members().expect("is an object");
        assert_eq!(members["body"].as_text(), Some("hello"));
        let headers = members["request_headers"].members().expect("is a map");
        assert_eq!(headers["X-A"].as_text(), Some("1, 2"));
        let request = server.join().expect("ends").to_lowercase();
        assert!(request.starts_with("get /x http/1.1") && request.contains("x-one: 1"), "{request}");
    }

    #[test]
    fn a_refusal_and_silence_are_failures_that_name_the_address() {
        let (url, server) = serve_once("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let failure = Http.ask(&settings(&url)).expect_err("is refused").to_string();
        assert!(failure.contains(&url) && failure.contains("404"), "{failure}");
        server.join().expect("ends");
        let failure = Http.ask(&settings("http://127.0.0.1:1/")).expect_err("nobody is there").to_string();
        assert!(failure.contains("127.0.0.1:1"), "{failure}");
    }
}
