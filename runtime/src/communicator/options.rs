//! The options that every builder takes for reaching its machine.
//!
//! They are checked for all builders; which of them matter depends on the communicator.

use rpk_planner::catalog::{
    OptionSpec, Problem, Settings, boolean, duration, integer, integer_list, string, string_list,
};

use super::ssh;

/// Lists the options of all communicators.
#[must_use]
pub fn options() -> Vec<OptionSpec> {
    vec![
        string("communicator", "How commands reach the machine."),
        duration("pause_before_connecting", "How long to wait once the machine answers."),
        string("ssh_host", "The machine to reach."),
        integer("ssh_port", "The port to reach it at."),
        string("ssh_username", "The user to log in as."),
        string("ssh_password", "The password to log in with.").sensitive(),
        string("ssh_private_key_file", "The key to log in with."),
        string("ssh_certificate_file", "The key's certificate."),
        boolean("ssh_agent_auth", "Takes keys from the agent."),
        string("ssh_keypair_name", "The name of the cloud's key pair."),
        string("temporary_key_pair_name", "The name of the key pair made for the build."),
        string("temporary_key_pair_type", "Its type.").choices(&["rsa", "dsa", "ecdsa", "ed25519"]),
        integer("temporary_key_pair_bits", "Its length."),
        duration("ssh_timeout", "How long to wait for the machine."),
        duration("ssh_wait_timeout", "How long to wait for the machine.").replaced_by("ssh_timeout"),
        integer("ssh_handshake_attempts", "How often logging in may fail."),
        boolean("ssh_pty", "Gives commands a terminal."),
        string_list("ssh_ciphers", "The ciphers to offer."),
        string_list("ssh_key_exchange_algorithms", "The key exchange algorithms to offer."),
        boolean("ssh_clear_authorized_keys", "Removes the build's key from the machine afterwards."),
        boolean("ssh_disable_agent_forwarding", "Keeps the agent to this machine."),
        string("ssh_file_transfer_method", "How files travel.").choices(&["scp", "sftp"]),
        duration("ssh_keep_alive_interval", "How often to show that the connection is alive."),
        duration("ssh_read_write_timeout", "How long a silent connection counts as alive."),
        string("ssh_bastion_host", "The host to go through."),
        integer("ssh_bastion_port", "Its port."),
        string("ssh_bastion_username", "The user to log in to it as."),
        string("ssh_bastion_password", "The password to log in to it with.").sensitive(),
        string("ssh_bastion_private_key_file", "The key to log in to it with."),
        string("ssh_bastion_certificate_file", "The key's certificate."),
        boolean("ssh_bastion_agent_auth", "Takes keys for it from the agent."),
        boolean("ssh_bastion_interactive", "Asks for its password."),
        string("ssh_proxy_host", "The SOCKS5 proxy to go through."),
        integer("ssh_proxy_port", "Its port."),
        string("ssh_proxy_username", "The user name at the proxy."),
        string("ssh_proxy_password", "The password at the proxy.").sensitive(),
        string_list("ssh_local_tunnels", "Ports of this machine that lead into the other."),
        string_list("ssh_remote_tunnels", "Ports of the machine that lead here."),
        integer_list("ssh_public_key", "The public key, as bytes."),
        integer_list("ssh_private_key", "The private key, as bytes.").sensitive(),
        string(
            "ssh_known_hosts_file",
            "The file of host keys, as OpenSSH's `known_hosts`, that hosts are held against.",
        ),
        string("winrm_username", "The user to log in as."),
        string("winrm_password", "The password to log in with.").sensitive(),
        string("winrm_host", "The machine to reach."),
        integer("winrm_port", "The port to reach it at."),
        duration("winrm_timeout", "How long to wait for the machine."),
        boolean("winrm_use_ssl", "Encrypts the connection."),
        boolean("winrm_insecure", "Takes any certificate."),
        boolean("winrm_use_ntlm", "Logs in by NTLM."),
        boolean("winrm_no_proxy", "Goes past the proxy."),
    ]
}

/// Finds what is wrong with the options of the communicator that is chosen; `default` names the one of a builder
/// whose template chooses none.
#[must_use]
pub fn check(settings: &Settings, default: &str) -> Vec<Problem> {
    let text = |name: &str| settings.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    let mut problems = temporary_key(settings);
    problems.extend(match Some(text("communicator")).filter(|name| !name.is_empty()).unwrap_or(default) {
        "none" => Vec::new(),
        "ssh" => ssh::check(settings),
        "winrm" if text("winrm_username").is_empty() => {
            let problem = Problem::of_block("`winrm_username` is missing");
            vec![problem.help("name the user to log in as, or set `communicator` to `none`")]
        }
        "winrm" => Vec::new(),
        other => vec![
            Problem::with("communicator", format!("there is no communicator `{other}` for this builder"))
                .help("set `communicator` to `none`, `ssh` or `winrm`"),
        ],
    });
    problems
}

/// Finds what is wrong with the key pair that is to be made for the build; an Ed25519 key has but one length.
fn temporary_key(settings: &Settings) -> Vec<Problem> {
    let kind = settings.get("temporary_key_pair_type").and_then(|kind| kind.as_str()).unwrap_or("rsa");
    let bits = settings.get("temporary_key_pair_bits").and_then(serde_json::Value::as_i64).unwrap_or(0);
    let (fits, lengths) = match kind {
        "ecdsa" => ([256, 384, 521].contains(&bits), "256, 384 or 521"),
        "dsa" => ([1024, 2048, 3072].contains(&bits), "1024, 2048 or 3072"),
        "rsa" => (bits >= 1024, "1024 or more"),
        _ => return Vec::new(),
    };
    if bits == 0 || fits {
        return Vec::new();
    }
    let problem = Problem::with("temporary_key_pair_bits", format!("a key of type {kind} cannot have {bits} bits"));
    vec![problem.help(format!("use {lengths}, or leave it out"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_key_has_a_length_of_its_type() {
        for (kind, bits, is_right) in [
            ("rsa", 4096, true),
            ("rsa", 512, false),
            ("ecdsa", 521, true),
            ("ecdsa", 512, false),
            ("dsa", 4096, false),
            ("ed25519", 7, true),
        ] {
            let settings = serde_json::json!({
                "communicator": "none", "temporary_key_pair_type": kind, "temporary_key_pair_bits": bits
            });
            let settings: Settings = serde_json::from_value(settings).expect("is an object");
            assert_eq!(check(&settings, "ssh").is_empty(), is_right, "{kind} {bits}");
        }
    }
}
