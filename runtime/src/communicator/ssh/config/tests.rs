//! What the options are read as, and what is wrong with them.

use super::*;

fn settings(text: &str) -> Settings {
    serde_json::from_str(text).expect("is an object")
}

#[test]
fn each_wrong_option_is_one_error_of_its_own() {
    for (bad, option) in [
        (r#"{"ssh_port": 70000}"#, "ssh_port"),
        (r#"{"ssh_private_key_file": "/nowhere"}"#, "ssh_private_key_file"),
        (r#"{"ssh_certificate_file": "/nowhere"}"#, "ssh_certificate_file"),
        (r#"{"ssh_handshake_attempts": -1}"#, "ssh_handshake_attempts"),
        (r#"{"ssh_ciphers": ["rot13"]}"#, "ssh_ciphers"),
        (r#"{"ssh_ciphers": ["none"]}"#, "ssh_ciphers"),
        (r#"{"ssh_key_exchange_algorithms": ["x"]}"#, "ssh_key_exchange_algorithms"),
        (r#"{"ssh_bastion_host": "b"}"#, "ssh_bastion_host"),
        (r#"{"ssh_bastion_host": "b", "ssh_bastion_password": "p", "ssh_proxy_host": "p"}"#, "ssh_proxy_host"),
        (r#"{"ssh_bastion_host": "b", "ssh_bastion_private_key_file": "/nowhere"}"#, "ssh_bastion_private_key_file"),
        (r#"{"ssh_local_tunnels": ["80:localhost"]}"#, "ssh_local_tunnels"),
        (r#"{"ssh_remote_tunnels": ["x"]}"#, "ssh_remote_tunnels"),
        (r#"{"ssh_private_key": [1, 2]}"#, "ssh_private_key"),
        (r#"{"ssh_private_key": [1000]}"#, "ssh_private_key"),
        (r#"{"ssh_public_key": [1]}"#, "ssh_public_key"),
        (r#"{"ssh_known_hosts_file": "/nowhere"}"#, "ssh_known_hosts_file"),
    ] {
        let mut settings = settings(bad);
        settings.insert("ssh_username".to_owned(), "u".into());
        let found: Vec<_> = check(&settings).into_iter().map(|problem| problem.option.unwrap_or_default()).collect();
        assert_eq!(found, [option], "{bad}");
    }
    assert_eq!(check(&settings("{}"))[0].message, "`ssh_username` is missing");
}

#[test]
fn one_limit_alone_lifts_the_other() {
    for (text, timeout, attempts) in [
        (r#"{"ssh_username": "u"}"#, Some(300), Some(10)),
        (r#"{"ssh_username": "u", "ssh_timeout": "7s"}"#, Some(7), None),
        (r#"{"ssh_username": "u", "ssh_handshake_attempts": 3}"#, None, Some(3)),
    ] {
        let config = SshConfig::of(&settings(text)).unwrap_or_else(|failure| panic!("{text}: {failure}"));
        assert_eq!((config.timeout.map(|limit| limit.as_secs()), config.attempts), (timeout, attempts), "{text}");
    }
}

#[test]
fn a_negative_interval_stops_the_signs_of_life() {
    for (text, interval) in [("", Some(5)), ("10s", Some(10)), ("-1s", None)] {
        let mut settings = settings(r#"{"ssh_username": "u"}"#);
        settings.insert("ssh_keep_alive_interval".to_owned(), text.into());
        let config = SshConfig::of(&settings).unwrap_or_else(|failure| panic!("{text}: {failure}"));
        assert_eq!(config.keep_alive.map(|interval| interval.as_secs()), interval, "{text}");
    }
}
