//! Where a file goes.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::options::Config;
use crate::failure::{Failure, Outcome};

/// Where a file goes.
#[derive(Debug)]
pub(super) enum Place {
    /// A web server.
    Web(WebPlace),
    /// S3-compatible storage.
    Storage(StoragePlace),
}

/// An address of a web server.
#[derive(Debug)]
pub(super) struct WebPlace {
    /// The address, without user and password.
    pub url: String,
    /// What is sent along.
    pub headers: Vec<(String, String)>,
}

/// An object in S3-compatible storage.
#[derive(Debug)]
pub(super) struct StoragePlace {
    /// `http` or `https`.
    pub scheme: String,
    /// The host, with the port if it has one.
    pub host: String,
    /// The path of the bucket, without a slash at its end.
    pub base: String,
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Who asks.
    pub credentials: Credentials,
    /// What is sent along with the object.
    pub headers: Vec<(String, String)>,
}

/// An access key.
pub(super) struct Credentials {
    pub access_key: String,
    pub secret_key: String,
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(place) => f.write_str(&shown(&place.url)),
            Self::Storage(place) => write!(f, "s3://{}/{}", place.bucket, place.key),
        }
    }
}

/// Returns an address without what may be secret: user and password, and the query, where signatures stand.
pub(super) fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

impl Place {
    /// Works out where a file goes.
    ///
    /// # Errors
    ///
    /// Fails if the address is none, or nobody has given credentials for storage.
    pub(super) fn of(url: &str, file: &Path, config: &Config) -> Outcome<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::find(url, file, config, &variable)
    }

    fn find(url: &str, file: &Path, config: &Config, variable: &dyn Fn(&str) -> Option<String>) -> Outcome<Self> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let headers: Vec<(String, String)> = config.headers.clone().into_iter().collect();
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| Failure::new(format!("`{url}` is no address")).help("write https://… or s3://BUCKET/KEY"))?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => Ok(Self::Web(web(scheme, rest, &name, headers))),
            "s3" => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                let key = if key.is_empty() || key.ends_with('/') { format!("{key}{name}") } else { key.to_owned() };
                storage(bucket, key, headers, config, variable).map(Self::Storage)
            }
            _ => Err(Failure::new(format!("rpk cannot upload by {scheme}")).help("use https:// or s3://")),
        }
    }
}

fn web(scheme: &str, rest: &str, name: &str, mut headers: Vec<(String, String)>) -> WebPlace {
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = match authority.rsplit_once('@') {
        None => authority,
        Some((user, host)) => {
            let user = percent_decoded(user);
            let user = if user.contains(':') { user } else { format!("{user}:") };
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
                headers.push(("authorization".to_owned(), format!("Basic {}", STANDARD.encode(user))));
            }
            host
        }
    };
    let name = if path.is_empty() { format!("/{}", encoded(name, false)) } else { encoded(name, false) };
    let url = if path.is_empty() || path.ends_with('/') {
        format!("{scheme}://{host}{path}{name}")
    } else {
        format!("{scheme}://{host}{path}")
    };
    WebPlace { url, headers }
}

fn storage(
    bucket: &str,
    key: String,
    headers: Vec<(String, String)>,
    config: &Config,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Outcome<StoragePlace> {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let region = given(&config.region)
        .or_else(|| variable("AWS_REGION"))
        .or_else(|| variable("AWS_DEFAULT_REGION"))
        .unwrap_or_else(|| "us-east-1".to_owned());
    let missing = || {
        Failure::new("nobody has given an access key")
            .help("set `access_key` and `secret_key`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    };
    let credentials = if config.access_key.is_empty() {
        Credentials {
            access_key: variable("AWS_ACCESS_KEY_ID").ok_or_else(missing)?,
            secret_key: variable("AWS_SECRET_ACCESS_KEY").ok_or_else(missing)?,
            session_token: variable("AWS_SESSION_TOKEN"),
        }
    } else {
        Credentials {
            access_key: config.access_key.clone(),
            secret_key: config.secret_key.clone(),
            session_token: None,
        }
    };
    let endpoint =
        given(&config.endpoint).or_else(|| variable("AWS_ENDPOINT_URL_S3")).or_else(|| variable("AWS_ENDPOINT_URL"));
    let (scheme, host, base) = match endpoint {
        Some(endpoint) => {
            let (scheme, rest) =
                endpoint.split_once("://").ok_or_else(|| Failure::new(format!("`{endpoint}` is no address")))?;
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (scheme.to_owned(), host.to_owned(), format!("{}/{bucket}", path.trim_end_matches('/')))
        }
        // A certificate covers one label before Amazon's own.
        None if bucket.contains('.') => {
            ("https".to_owned(), format!("s3.{region}.amazonaws.com"), format!("/{bucket}"))
        }
        None => ("https".to_owned(), format!("{bucket}.s3.{region}.amazonaws.com"), String::new()),
    };
    Ok(StoragePlace { scheme, host, base, bucket: bucket.to_owned(), key, region, credentials, headers })
}

/// Writes a text as a part of an address; slashes stay if they separate.
pub(super) fn encoded(text: &str, keeps_slashes: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keeps_slashes && byte == b'/';
        if is_plain {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str, config: &Config) -> Outcome<Place> {
        let variable = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("k".to_owned()),
            _ => None,
        };
        Place::find(url, Path::new("out/a b.box"), config, &variable)
    }

    #[test]
    fn a_folder_gets_the_files_name_and_anything_else_is_the_file() {
        for (url, expected) in [
            ("https://h/d/", "https://h/d/a%20b.box"),
            ("https://h", "https://h/a%20b.box"),
            ("http://h:8/d/x.box?sig=1", "http://h:8/d/x.box?sig=1"),
            ("https://user:p%40ss@h/d/", "https://h/d/a%20b.box"),
        ] {
            let Ok(Place::Web(web)) = place(url, &Config::default()) else { panic!("{url}") };
            assert_eq!(web.url, expected);
            let secret = web.headers.first().map(|(_, value)| value.as_str());
            assert_eq!(secret, url.contains('@').then_some("Basic dXNlcjpwQHNz"));
        }
        assert_eq!(shown("https://user:pass@h/d/?X-Amz-Signature=1"), "https://h/d/");
    }

    #[test]
    fn storage_is_amazons_unless_an_endpoint_is_given() {
        let parts = |url: &str, config: &Config| match place(url, config) {
            Ok(Place::Storage(place)) => format!("{}://{}{} {}", place.scheme, place.host, place.base, place.key),
            other => panic!("{other:?}"),
        };
        let plain = Config::default();
        assert_eq!(parts("s3://b/p/", &plain), "https://b.s3.us-east-1.amazonaws.com p/a b.box");
        assert_eq!(parts("s3://b.c/k", &plain), "https://s3.us-east-1.amazonaws.com/b.c k");
        let own = Config { endpoint: "http://127.0.0.1:9000/".to_owned(), ..Config::default() };
        assert_eq!(parts("s3://b", &own), "http://127.0.0.1:9000/b a b.box");
    }

    #[test]
    fn without_credentials_nothing_is_asked() {
        let failure = Place::find("s3://b/k", Path::new("a"), &Config::default(), &|_| None).expect_err("has no key");
        assert!(failure.help.expect("there is help").contains("AWS_ACCESS_KEY_ID"));
    }
}
