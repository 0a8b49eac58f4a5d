//! AWS Signature Version 4: how a request to S3-compatible storage shows who asks.

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use super::place::{Credentials, encoded};
use crate::hex::hex;

/// What is signed of a request.
pub(super) struct Signed<'s> {
    pub method: &'s str,
    pub host: &'s str,
    /// The path, encoded.
    pub path: &'s str,
    /// The query's names and values, not encoded.
    pub query: &'s [(&'s str, String)],
    /// Further headers.
    pub headers: &'s [(String, String)],
    /// The SHA-256 of the body.
    pub body: [u8; 32],
    pub region: &'s str,
    /// The time in the form `20260131T235959Z`.
    pub time: &'s str,
}

/// Writes a query in the order in which it is signed.
pub(super) fn query_text(query: &[(&str, String)]) -> String {
    let mut pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{}={}", encoded(name, false), encoded(value, false))).collect();
    pairs.sort();
    pairs.join("&")
}

/// Returns all headers of the request, the signature among them.
pub(super) fn sign(signed: &Signed<'_>, credentials: &Credentials) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> =
        signed.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    headers.push(("x-amz-content-sha256".to_owned(), hex(&signed.body)));
    headers.push(("x-amz-date".to_owned(), signed.time.to_owned()));
    if let Some(token) = &credentials.session_token {
        headers.push(("x-amz-security-token".to_owned(), token.clone()));
    }
    let mut canonical = headers.clone();
    canonical.push(("host".to_owned(), signed.host.to_owned()));
    canonical.sort();
    let names: Vec<&str> = canonical.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let lines: String = canonical.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let request = format!(
        "{}\n{}\n{}\n{lines}\n{names}\n{}",
        signed.method,
        signed.path,
        query_text(signed.query),
        hex(&signed.body)
    );
    let day = signed.time.get(..8).unwrap_or(signed.time);
    let scope = format!("{day}/{}/s3/aws4_request", signed.region);
    let digest = hex(&Sha256::digest(request.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{digest}", signed.time);
    let mut key = mac(format!("AWS4{}", credentials.secret_key).as_bytes(), day);
    for part in [signed.region, "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        credentials.access_key,
        hex(&mac(&key, &text))
    );
    headers.push(("authorization".to_owned(), authorization));
    headers
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example "PUT Object" of Amazon's documentation of the signature.
    #[test]
    fn the_documented_example_is_signed_as_documented() {
        let credentials = Credentials {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        };
        let headers = [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let signed = Signed {
            method: "PUT",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test%24file.text",
            query: &[],
            headers: &headers,
            body: Sha256::digest(b"Welcome to Amazon S3.").into(),
            region: "us-east-1",
            time: "20130524T000000Z",
        };
        let headers = sign(&signed, &credentials);
        let authorization = &headers.last().expect("there are headers").1;
        let signature = "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
        assert!(authorization.ends_with(signature), "{authorization}");
    }
}
