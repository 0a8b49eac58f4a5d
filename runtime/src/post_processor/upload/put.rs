//! A file to a web server, by PUT.

use std::path::Path;

use super::client::{Asked, Body, Client};
use super::digest::Digests;
use super::place::{WebPlace, shown};
use crate::failure::{Failure, Outcome};

/// Sends a file and sees that it has arrived.
///
/// # Errors
///
/// Fails if the file cannot be read, the server does not take it, or has something else afterwards.
pub(super) fn put(client: &Client, place: &WebPlace, path: &Path) -> Outcome<()> {
    let digests = Digests::of_file(path, &client.cancel).map_err(|error| Failure::new(error.to_string()))?;
    client.say(format!("Uploading {} ({} bytes) to {}", path.display(), digests.size, shown(&place.url)));
    let ask = || {
        let mut headers = place.headers.clone();
        let mut add = |name: &str, value: String| {
            if !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
                headers.push((name.to_owned(), value));
            }
        };
        add("content-type", "application/octet-stream".to_owned());
        // Servers that look at it refuse what has changed on its way.
        add("content-md5", digests.md5_base64());
        Asked { method: "PUT", url: place.url.clone(), headers }
    };
    let answer = client.send(&ask, Body::File(path, digests.size))?;
    let way = if answer.header("etag").is_some_and(|tag| digests.is_tagged(tag)) {
        "its entity tag is the MD5 of the file".to_owned()
    } else {
        size_at(client, place, digests.size)?
    };
    client.say(format!("Uploaded {}: {way}", path.display()));
    Ok(())
}

/// Asks how long the file is that the server has now.
fn size_at(client: &Client, place: &WebPlace, size: u64) -> Outcome<String> {
    // A signed address is signed for one method.
    let ask = || Asked { method: "HEAD", url: place.url.clone(), headers: place.headers.clone() };
    let Ok(answer) = client.send(&ask, Body::None) else {
        return Ok("the server does not say what it has now".to_owned());
    };
    match answer.header("content-length").and_then(|length| length.parse::<u64>().ok()) {
        Some(there) if there != size => {
            Err(Failure::new(format!("the server has {there} bytes now, the file has {size}")))
        }
        Some(_) => Ok("the server has as many bytes".to_owned()),
        None => Ok("the server does not say what it has now".to_owned()),
    }
}
