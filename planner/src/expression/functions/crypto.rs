//! Digests, random ids, encryption, and secrets of other systems.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use num_bigint::BigUint;
use sha1::Digest as _;
use uuid::Uuid;

use super::{Fault, Function, Outcome, Parameter, Value, function, kinds, parameter, results, text, whole};
use crate::expression::scope::Host;

const STR: Parameter = parameter("str", kinds::text);
const KEY: Parameter = parameter("key", kinds::text);

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "aws_secretsmanager",
        &[parameter("name", kinds::text), parameter("key", kinds::text).nullable()],
        results::text,
        |arguments, host| secret("aws_secretsmanager", arguments, host),
    ),
    function("aws_secretsmanager_raw", &[parameter("name", kinds::text)], results::text, |arguments, host| {
        secret("aws_secretsmanager_raw", arguments, host)
    }),
    function("bcrypt", &[STR], results::text, bcrypt_hash).variadic(parameter("cost", kinds::number)),
    function("consul_key", &[KEY], results::text, |arguments, host| secret("consul_key", arguments, host)),
    function("md5", &[STR], results::text, |arguments, _| hex(&md5::Md5::digest(text(arguments, 0)))),
    function(
        "rsadecrypt",
        &[parameter("ciphertext", kinds::text), parameter("privatekey", kinds::text)],
        results::text,
        rsa_decrypt,
    ),
    function("sha1", &[STR], results::text, |arguments, _| hex(&sha1::Sha1::digest(text(arguments, 0)))),
    function("sha256", &[STR], results::text, |arguments, _| hex(&sha2::Sha256::digest(text(arguments, 0)))),
    function("sha512", &[STR], results::text, |arguments, _| hex(&sha2::Sha512::digest(text(arguments, 0)))),
    function("uuidv4", &[], results::text, |_, host| {
        host.usage.borrow_mut().volatile.insert("uuidv4".to_owned());
        let id = uuid::Builder::from_random_bytes((host.random)()).into_uuid();
        Ok(Value::string(&id.to_string()))
    }),
    function(
        "uuidv5",
        &[parameter("namespace", kinds::text), parameter("name", kinds::text)],
        results::text,
        |arguments, _| {
            let namespace = match text(arguments, 0) {
                "dns" => Uuid::NAMESPACE_DNS,
                "url" => Uuid::NAMESPACE_URL,
                "oid" => Uuid::NAMESPACE_OID,
                "x500" => Uuid::NAMESPACE_X500,
                other => Uuid::parse_str(other).map_err(|_| {
                    Fault::Other(
                        "uuidv5() doesn't support a namespace other than dns, url, oid, x500 or a UUID".to_owned(),
                    )
                })?,
            };
            Ok(Value::string(&Uuid::new_v5(&namespace, text(arguments, 1).as_bytes()).to_string()))
        },
    ),
    function("vault", &[parameter("path", kinds::text), KEY], results::text, |arguments, host| {
        secret("vault", arguments, host)
    }),
];

fn hex(bytes: &[u8]) -> Outcome {
    Ok(Value::string(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// Asks another system for a secret.
fn secret(function: &str, arguments: &[Value], host: &Host<'_>) -> Outcome {
    host.usage.borrow_mut().reads_secrets = true;
    let Some(source) = host.secrets else {
        return Err(format!(
            "`{function}` needs a server that rpk cannot ask here; give the value as a sensitive variable"
        )
        .into());
    };
    let arguments: Vec<String> =
        arguments.iter().map(|argument| argument.as_text().unwrap_or_default().to_owned()).collect();
    source(function, &arguments).map(|secret| Value::string(&secret)).map_err(Fault::Other)
}

fn bcrypt_hash(arguments: &[Value], host: &Host<'_>) -> Outcome {
    host.usage.borrow_mut().volatile.insert("bcrypt".to_owned());
    let cost = match arguments.len() {
        1 => 10,
        2 => whole(arguments, 1)?,
        _ => return Err(format!("bcrypt() takes no more than two arguments, got {}", arguments.len()).into()),
    };
    if cost > 31 {
        return Err(format!("error occurred generating password: cost {cost} is outside allowed range (4,31)").into());
    }
    let cost = if cost < 4 { 10 } else { u32::try_from(cost).unwrap_or(10) };
    let password = text(arguments, 0);
    if password.len() > 72 {
        return Err("error occurred generating password: it is longer than 72 bytes".into());
    }
    let hash = bcrypt::hash_with_salt(password, cost, (host.random)()).map_err(|error| error.to_string())?;
    Ok(Value::string(&hash.format_for_version(bcrypt::Version::TwoA)))
}

/// Decrypts by PKCS #1 version 1.5 (RFC 8017, section 7.2.2).
fn rsa_decrypt(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let cipher = BASE64_STANDARD
        .decode(text(arguments, 0))
        .map_err(|_| Fault::Argument(0, "invalid value: cipher text must be base64-encoded".to_owned()))?;
    let invalid =
        || Fault::Argument(1, "invalid private key: an RSA key in PEM form, without a password, is needed".to_owned());
    let (modulus, exponent) = private_key(text(arguments, 1)).ok_or_else(invalid)?;
    let size = usize::try_from(modulus.bits().div_ceil(8)).unwrap_or(usize::MAX);
    let cipher = BigUint::from_bytes_be(&cipher);
    if cipher >= modulus {
        return Err("failed to decrypt: the cipher text is not one of this key".into());
    }
    let plain = cipher.modpow(&exponent, &modulus).to_bytes_be();
    let mut block = vec![0; size.saturating_sub(plain.len())];
    block.extend(plain);
    let message = match block.as_slice() {
        [0, 2, rest @ ..] => rest.iter().position(|byte| *byte == 0).filter(|at| *at >= 8).map(|at| &rest[at + 1..]),
        _ => None,
    };
    let message = message.ok_or("failed to decrypt: the cipher text is not one of this key")?;
    Ok(Value::string(&String::from_utf8_lossy(message)))
}

/// Takes modulus and private exponent out of a PEM text (RFC 8017, appendix A.1.2; RFC 5208 around it).
fn private_key(pem: &str) -> Option<(BigUint, BigUint)> {
    let body: String = pem
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with("-----END"))
        .collect();
    let der = BASE64_STANDARD.decode(body).ok()?;
    let mut outer = Der(&der).inside(0x30)?;
    let version = outer.take(0x02)?;
    if outer.0.first() == Some(&0x30) {
        // PKCS #8: the algorithm, and then the key as octets.
        outer.take(0x30)?;
        outer = Der(outer.take(0x04)?).inside(0x30)?;
        outer.take(0x02)?;
    }
    (version == [0]).then_some(())?;
    let modulus = outer.take(0x02)?;
    outer.take(0x02)?;
    let exponent = outer.take(0x02)?;
    Some((BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent)))
}

/// Reads the distinguished encoding of ASN.1 (X.690).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Takes the next element, which must be of that kind.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let [found, length, rest @ ..] = self.0 else { return None };
        (*found == tag).then_some(())?;
        let (length, rest) = if *length < 0x80 {
            (usize::from(*length), rest)
        } else {
            let count = usize::from(*length & 0x7f);
            let digits = rest.get(..count).filter(|digits| digits.len() <= 4)?;
            let length = digits.iter().fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
            (length, &rest[count..])
        };
        let content = rest.get(..length)?;
        self.0 = &rest[length..];
        Some(content)
    }

    fn inside(mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }
}
