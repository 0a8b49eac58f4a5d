//! The options of `upload`, and what is wrong with them.

use std::collections::BTreeMap;
use std::time::Duration;

use rpk_planner::catalog::{Problem, Settings};
use serde::Deserialize;

/// The options.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    pub(super) url: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) password: String,
    pub(super) private_key_file: String,
    pub(super) known_hosts_file: String,
    pub(super) retries: Option<u32>,
    #[serde(deserialize_with = "crate::settings::optional_duration")]
    pub(super) timeout: Option<Duration>,
}

/// A longer series of attempts only hides that a server is gone.
const MAX_RETRIES: i64 = 20;

impl Config {
    /// Returns how often a request is made at most.
    pub(super) fn attempts(&self) -> u32 {
        self.retries.unwrap_or(3) + 1
    }

    /// Returns how long the server may be silent.
    pub(super) fn silence(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(30))
    }
}

/// Finds what is wrong with checked options.
pub(super) fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let text = |option: &str| settings.get(option).and_then(|value| value.as_str()).unwrap_or_default();
    let url = text("url");
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => {
            for option in ["endpoint", "region", "access_key", "secret_key"] {
                if !text(option).is_empty() {
                    problems.push(
                        Problem::with(option, format!("`{option}` is for s3:// addresses alone"))
                            .help("leave it out, or send credentials with `headers`"),
                    );
                }
            }
        }
        Some("s3") => {
            if url[5..].trim_start_matches('/').is_empty() || url[5..].starts_with('/') {
                problems.push(Problem::with("url", "the address names no bucket").help("write s3://BUCKET/KEY"));
            }
            for (one, other) in [("access_key", "secret_key"), ("secret_key", "access_key")] {
                if !text(one).is_empty() && text(other).is_empty() {
                    problems.push(
                        Problem::with(one, format!("`{one}` without `{other}`"))
                            .help("give both, or neither and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
                    );
                }
            }
            let endpoint = text("endpoint");
            if !endpoint.is_empty() && !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
                problems.push(
                    Problem::with("endpoint", format!("`{endpoint}` is no address"))
                        .help("write http://HOST:PORT or https://HOST"),
                );
            }
        }
        Some("sftp") => {
            for option in ["endpoint", "region", "access_key", "secret_key"] {
                if !text(option).is_empty() {
                    problems.push(
                        Problem::with(option, format!("`{option}` is for s3:// addresses alone")).help("leave it out"),
                    );
                }
            }
            problems.extend(super::sftp::check(settings));
        }
        Some("scp" | "ftp") => problems.push(
            Problem::with("url", "rpk uploads by HTTP, SFTP and to S3-compatible storage only")
                .help("use sftp://, or a `shell-local` post-processor with scp or curl"),
        ),
        // What stands before `://` may be filled in later.
        _ if url.starts_with("{{") || url.contains("${") => {}
        _ => problems.push(
            Problem::with("url", format!("`{url}` is no address"))
                .help("write https://…, http://…, s3://BUCKET/KEY or sftp://…"),
        ),
    }
    if matches!(scheme.as_deref(), Some("http" | "https" | "s3")) {
        for option in ["password", "private_key_file", "known_hosts_file"] {
            if !text(option).is_empty() {
                problems.push(
                    Problem::with(option, format!("`{option}` is for sftp:// addresses alone")).help("leave it out"),
                );
            }
        }
    }
    let retries = settings.get("retries").and_then(serde_json::Value::as_i64).unwrap_or(0);
    if !(0..=MAX_RETRIES).contains(&retries) {
        problems.push(
            Problem::with("retries", format!("{retries} is no number of retries"))
                .help(format!("use a number from 0 to {MAX_RETRIES}")),
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_option_is_one_error_of_its_own() {
        let problems = |text: &str| -> Vec<String> {
            let settings: Settings = serde_json::from_str(text).expect("it is an object");
            check(&settings).into_iter().map(|problem| problem.option.unwrap_or_default()).collect()
        };
        for good in [
            r#"{"url": "https://h/a/{{.BuildName}}/"}"#,
            r#"{"url": "{{user `x`}}/a"}"#,
            r#"{"url": "sftp://u@h:22/~/a/{{.BuildName}}/", "password": "p"}"#,
            r#"{"url": "s3://b", "endpoint": "http://127.0.0.1:9000"}"#,
            r#"{"url": "s3://b/k", "access_key": "a", "secret_key": "b", "retries": 0}"#,
        ] {
            assert!(problems(good).is_empty(), "{good}");
        }
        for (bad, option) in [
            (r#"{"url": ""}"#, "url"),
            (r#"{"url": "host/path"}"#, "url"),
            (r#"{"url": "ftp://h/a"}"#, "url"),
            (r#"{"url": "sftp://h/a"}"#, "url"),
            (r#"{"url": "sftp://u@h"}"#, "url"),
            (r#"{"url": "sftp://u@h:x/a"}"#, "url"),
            (r#"{"url": "sftp://u@h/a", "region": "r"}"#, "region"),
            (r#"{"url": "sftp://u@h/a", "private_key_file": "/nowhere"}"#, "private_key_file"),
            (r#"{"url": "https://h/", "password": "p"}"#, "password"),
            (r#"{"url": "s3://"}"#, "url"),
            (r#"{"url": "s3:///key"}"#, "url"),
            (r#"{"url": "https://h/", "region": "r"}"#, "region"),
            (r#"{"url": "s3://b/", "access_key": "a"}"#, "access_key"),
            (r#"{"url": "s3://b/", "secret_key": "a"}"#, "secret_key"),
            (r#"{"url": "s3://b/", "endpoint": "h:9000"}"#, "endpoint"),
            (r#"{"url": "https://h/", "retries": -1}"#, "retries"),
            (r#"{"url": "https://h/", "retries": 1000}"#, "retries"),
        ] {
            assert_eq!(problems(bad), [option], "{bad}");
        }
    }
}
