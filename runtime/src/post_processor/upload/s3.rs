//! A file to S3-compatible storage.
//!
//! A small file goes in one request. A large one goes in parts, each repeated on its own; when a run ends in the
//! middle, the parts stay, and the next run sends only what is missing. Where the storage refuses, they are removed.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use md5::{Digest as _, Md5};

use super::client::{Answer, Asked, Body, Client, is_interruption};
use super::digest::Digests;
use super::place::{StoragePlace, encoded};
use super::signature::{Signed, query_text, sign};
use crate::failure::{Failure, Outcome};
use crate::hex::hex;

/// What is longer goes in parts.
const LARGE_BYTES: u64 = 64 << 20;

/// How long parts are, unless there would be too many of them.
const PART_BYTES: u64 = 16 << 20;

/// How many parts there may be: storage allows 10,000.
const MAX_PARTS: u64 = 9_000;

/// Sends a file and sees that it has arrived.
///
/// # Errors
///
/// Fails if the file cannot be read, the storage does not take it, or has something else afterwards.
pub(super) fn put(client: &Client, place: &StoragePlace, path: &Path) -> Outcome<()> {
    let failed = |error: std::io::Error| Failure::new(error.to_string());
    let size = std::fs::metadata(path).map_err(failed)?.len();
    client.say(format!("Uploading {} ({size} bytes) to s3://{}/{}", path.display(), place.bucket, place.key));
    if size > LARGE_BYTES {
        Parts::new(client, place, path, size)?.send()?;
    } else {
        let digests = Digests::of_file(path, &client.cancel).map_err(failed)?;
        let mut headers = place.headers.clone();
        headers.push(("content-md5".to_owned(), digests.md5_base64()));
        headers.push(("x-amz-checksum-sha256".to_owned(), digests.sha256_base64()));
        let answer = ask(client, place, "PUT", &[], &headers, Body::File(path, digests.size), &digests)?;
        let checksum = answer.header("x-amz-checksum-sha256");
        if checksum.is_some_and(|checksum| checksum != digests.sha256_base64()) {
            return Err(Failure::new("the storage gives back another SHA-256 than the file has"));
        }
    }
    let answer = ask(client, place, "HEAD", &[], &[], Body::None, &Digests::of(b""))?;
    let there = answer.header("content-length").and_then(|length| length.parse::<u64>().ok());
    if there.is_some_and(|there| there != size) {
        return Err(Failure::new(format!("the storage has {} bytes now, the file has {size}", there.unwrap_or(0))));
    }
    client.say(format!("Uploaded {}: the storage has verified its digest", path.display()));
    Ok(())
}

/// Makes a signed request about an object.
fn ask(
    client: &Client,
    place: &StoragePlace,
    method: &'static str,
    query: &[(&str, String)],
    headers: &[(String, String)],
    body: Body<'_>,
    digests: &Digests,
) -> Outcome<Answer> {
    let path = format!("{}/{}", place.base, encoded(&place.key, true));
    signed(client, place, method, &path, query, headers, body, digests)
}

#[expect(clippy::too_many_arguments, reason = "a request has that many parts")]
fn signed(
    client: &Client,
    place: &StoragePlace,
    method: &'static str,
    path: &str,
    query: &[(&str, String)],
    headers: &[(String, String)],
    body: Body<'_>,
    digests: &Digests,
) -> Outcome<Answer> {
    let request = || {
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let signed = Signed {
            method,
            host: &place.host,
            path,
            query,
            headers,
            body: digests.sha256,
            region: &place.region,
            time: &time,
        };
        let text = if query.is_empty() { String::new() } else { format!("?{}", query_text(query)) };
        let url = format!("{}://{}{path}{text}", place.scheme, place.host);
        Asked { method, url, headers: sign(&signed, &place.credentials) }
    };
    client.send(&request, body)
}

/// A file that is sent in parts.
struct Parts<'p> {
    client: &'p Client,
    place: &'p StoragePlace,
    file: File,
    size: u64,
    part_bytes: u64,
}

impl<'p> Parts<'p> {
    fn new(client: &'p Client, place: &'p StoragePlace, path: &Path, size: u64) -> Outcome<Self> {
        let file = File::open(path).map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self { client, place, file, size, part_bytes: PART_BYTES.max(size.div_ceil(MAX_PARTS)) })
    }

    fn send(&mut self) -> Outcome<()> {
        // Storage that cannot list what was begun begins anew.
        let begun = self.begun().ok().flatten();
        let id = match begun {
            Some(id) => id,
            None => self.begin()?,
        };
        match self.send_to(&id) {
            Ok(()) => Ok(()),
            Err(failure) if is_interruption(&failure) => {
                self.client.say("What has arrived stays: the next run goes on from there".to_owned());
                Err(failure)
            }
            Err(failure) => {
                let query = [("uploadId", id)];
                // The failure that led here is the one to tell.
                let _ = ask(self.client, self.place, "DELETE", &query, &[], Body::None, &Digests::of(b""));
                Err(failure)
            }
        }
    }

    /// Finds an upload of the same object that an earlier run has begun.
    fn begun(&self) -> Outcome<Option<String>> {
        let query = [("prefix", self.place.key.clone()), ("uploads", String::new())];
        let base = if self.place.base.is_empty() { "/" } else { &self.place.base };
        let digests = Digests::of(b"");
        let answer = signed(self.client, self.place, "GET", base, &query, &[], Body::None, &digests)?;
        let uploads = answer.body.split("<Upload>").skip(1);
        let ours = uploads.filter(|upload| element(upload, "Key").as_deref() == Some(self.place.key.as_str()));
        Ok(ours.filter_map(|upload| element(upload, "UploadId")).last())
    }

    fn begin(&self) -> Outcome<String> {
        let query = [("uploads", String::new())];
        let headers = &self.place.headers;
        let answer = ask(self.client, self.place, "POST", &query, headers, Body::Bytes(b""), &Digests::of(b""))?;
        element(&answer.body, "UploadId").ok_or_else(|| Failure::new("the storage gives no id for an upload in parts"))
    }

    fn send_to(&mut self, id: &str) -> Outcome<()> {
        let there = self.there(id);
        let count = self.size.div_ceil(self.part_bytes);
        let (mut tags, mut all) = (Vec::new(), Md5::new());
        let mut kept = 0;
        for number in 1..=count {
            let bytes = self.part(number)?;
            let digests = Digests::of(&bytes);
            all.update(digests.md5);
            let tag = match there.iter().find(|(at, tag)| *at == number && digests.is_tagged(tag)) {
                Some((_, tag)) => {
                    kept += 1;
                    tag.clone()
                }
                None => self.send_part(id, number, &bytes, &digests)?,
            };
            tags.push(tag);
        }
        if kept > 0 {
            self.client.say(format!("{kept} of {count} parts were there from an earlier run"));
        }
        self.finish(id, &tags, &format!("{}-{count}", hex(&all.finalize())))
    }

    /// Lists the parts that the storage has.
    fn there(&self, id: &str) -> Vec<(u64, String)> {
        let mut parts = Vec::new();
        let mut marker = "0".to_owned();
        loop {
            let query = [("part-number-marker", marker), ("uploadId", id.to_owned())];
            let answer = ask(self.client, self.place, "GET", &query, &[], Body::None, &Digests::of(b""));
            let Ok(answer) = answer else { return parts };
            parts.extend(
                answer
                    .body
                    .split("<Part>")
                    .skip(1)
                    .filter_map(|part| Some((element(part, "PartNumber")?.parse().ok()?, element(part, "ETag")?))),
            );
            let next = element(&answer.body, "NextPartNumberMarker");
            match next.filter(|_| element(&answer.body, "IsTruncated").as_deref() == Some("true")) {
                Some(next) if next != query[0].1 => marker = next,
                _ => return parts,
            }
        }
    }

    fn part(&mut self, number: u64) -> Outcome<Vec<u8>> {
        let failed = |error: std::io::Error| Failure::new(error.to_string());
        let begin = (number - 1) * self.part_bytes;
        let length = self.part_bytes.min(self.size - begin);
        self.file.seek(SeekFrom::Start(begin)).map_err(failed)?;
        let mut bytes = Vec::new();
        (&self.file).take(length).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 != length {
            return Err(Failure::new("the file has become shorter while it was read"));
        }
        Ok(bytes)
    }

    fn send_part(&self, id: &str, number: u64, bytes: &[u8], digests: &Digests) -> Outcome<String> {
        let query = [("partNumber", number.to_string()), ("uploadId", id.to_owned())];
        let headers = [("content-md5".to_owned(), digests.md5_base64())];
        let answer = ask(self.client, self.place, "PUT", &query, &headers, Body::Bytes(bytes), digests)?;
        let tag = answer.header("etag").ok_or_else(|| Failure::new("the storage gives no entity tag for a part"))?;
        Ok(tag.to_owned())
    }

    fn finish(&self, id: &str, tags: &[String], expected: &str) -> Outcome<()> {
        let parts: String = tags
            .iter()
            .zip(1..)
            .map(|(tag, number)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"))
            .collect();
        let text = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let (body, digests) = (Body::Bytes(text.as_bytes()), Digests::of(text.as_bytes()));
        let answer = ask(self.client, self.place, "POST", &[("uploadId", id.to_owned())], &[], body, &digests)?;
        // The storage answers with success before it knows, and tells a failure in the body.
        if let Some(code) = element(&answer.body, "Code") {
            let message = element(&answer.body, "Message").unwrap_or_default();
            return Err(Failure::new(format!("the storage cannot join the parts: {code}: {message}")));
        }
        let tag = element(&answer.body, "ETag").unwrap_or_default();
        let tag = tag.trim_matches('"');
        // Encrypting storage has tags of another kind.
        let is_of_parts = tag.len() == expected.len() && tag.contains('-');
        if is_of_parts && !tag.eq_ignore_ascii_case(expected) {
            return Err(Failure::new(format!("the storage has made {tag} of the parts, the file is {expected}")));
        }
        Ok(())
    }
}

/// Returns the text of the first element of a name; answers of storage hold no deeper ones of the names asked for.
pub(super) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(text.trim().to_owned(), |text, (from, to)| text.replace(from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_and_read() {
        let xml = "<R><Upload><Key>a &amp; b</Key><UploadId>1</UploadId></Upload></R>";
        assert_eq!(element(xml, "Key").as_deref(), Some("a & b"));
        assert_eq!(element(xml, "Code"), None);
        assert_eq!(element("<ETag>&#34;x&#34;</ETag>", "ETag").as_deref(), Some("\"x\""));
    }
}
