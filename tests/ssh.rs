//! `ssh` against a real OpenSSH server: each way to log in and to get there, files and commands as Packer 1.6.6 has
//! them, and what happens when the server is not what it was.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::sshd::{PASSWORD, Sshd, free_port, make_key, must};
use common::{Ended, Running, Sandbox, run};
use rustix::process::Signal;
use serde_json::{Value as Json, json};

/// A process that ends with the test.
struct Helper(Child);

impl Helper {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("is installed"))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes a provisioner whose script goes to the user's own folder, which ends with the user.
fn shell(lines: &[&str]) -> Json {
    json!({ "type": "shell", "inline": lines, "remote_folder": "." })
}

fn template(builder: Json, provisioners: Json) -> Json {
    json!({ "builders": [builder], "provisioners": provisioners })
}

/// Applies a template of one builder and one script.
fn apply(sandbox: &Sandbox, builder: Json, lines: &[&str]) -> Ended {
    sandbox.apply(&template(builder, json!([shell(lines)])), &[])
}

#[track_caller]
fn assert_says(ended: &Ended, parts: &[&str]) {
    let text = format!("{}{}", ended.stdout, ended.stderr);
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

fn wait_for_port(port: u16) {
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("nobody listens on {port}");
}

#[test]
#[ignore = "needs sshd and root"]
fn each_way_of_logging_in_works() {
    let sandbox = Sandbox::without_engine();
    let ca = sandbox.outside("ca");
    make_key(&ca, &["-t", "ed25519"]);
    let server = Sshd::start(&sandbox, &format!("TrustedUserCAKeys {}.pub", ca.display()));
    let allow = |public: &Path| {
        let mut keys = std::fs::read_to_string(server.path("authorized_keys")).expect("is readable");
        keys.push_str(&std::fs::read_to_string(public).expect("is readable"));
        std::fs::write(server.path("authorized_keys"), keys).expect("is writable");
    };
    for (name, options) in [
        ("rsa-pem", &["-t", "rsa", "-m", "PEM"][..]),
        ("rsa-pkcs8", &["-t", "rsa", "-m", "PKCS8"]),
        ("ecdsa-pem", &["-t", "ecdsa", "-m", "PEM"]),
        ("ecdsa-521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa"]),
        ("ed25519", &["-t", "ed25519"]),
    ] {
        let key = sandbox.path(name);
        make_key(&key, options);
        allow(&key.with_extension("pub"));
        let ended = apply(&sandbox, server.builder(&json!({ "ssh_private_key_file": name })), &["id -un"]);
        assert_says(&ended.expect_status(0), &[&server.user]);
    }
    // The certificate is what lets this key in.
    make_key(&sandbox.path("signed"), &["-t", "ed25519"]);
    let sign = ["-q", "-I", "test", "-n", &server.user, "-V", "+1h", "-s"];
    must(Command::new("ssh-keygen").args(sign).arg(&ca).arg(sandbox.path("signed.pub")));
    let options = json!({ "ssh_private_key_file": "signed", "ssh_certificate_file": "signed-cert.pub" });
    apply(&sandbox, server.builder(&options), &["true"]).expect_status(0);

    let ended = apply(&sandbox, server.builder(&json!({ "ssh_password": PASSWORD })), &["true"]).expect_status(0);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(PASSWORD));

    let socket = sandbox.outside("agent");
    let _agent = Helper::start(Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket));
    while !socket.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    must(Command::new("ssh-add").arg(sandbox.path("rsa")).env("SSH_AUTH_SOCK", &socket));
    let builder = server.builder(&json!({ "ssh_agent_auth": true }));
    sandbox.template(&template(builder.clone(), json!([shell(&["ssh-add -l"])])));
    let ended = run(sandbox.rpk(&["apply", "template.json"]).env("SSH_AUTH_SOCK", &socket)).expect_status(0);
    assert_says(&ended, &["RSA"]);
    let mut builder = builder;
    builder["ssh_disable_agent_forwarding"] = json!(true);
    sandbox.template(&template(builder, json!([shell(&["[ -z \"$SSH_AUTH_SOCK\" ]"])])));
    run(sandbox.rpk(&["apply", "template.json"]).env("SSH_AUTH_SOCK", &socket)).expect_status(0);
}

#[test]
#[ignore = "needs sshd and root"]
fn a_server_that_only_asks_questions_gets_the_password() {
    let sandbox = Sandbox::without_engine();
    let server = Sshd::start(&sandbox, "PasswordAuthentication no");
    apply(&sandbox, server.builder(&json!({ "ssh_password": PASSWORD })), &["true"]).expect_status(0);
}

#[test]
#[ignore = "needs sshd and root"]
fn refusals_are_clear_and_bounded() {
    let sandbox = Sandbox::without_engine();
    let server = Sshd::start(&sandbox, "PermitTTY no");
    let wrong = server.builder(&json!({ "ssh_password": "wr0ng-pass", "ssh_handshake_attempts": 2 }));
    let ended = apply(&sandbox, wrong, &["true"]).expect_status(1);
    assert_says(&ended, &["2 attempts have failed", "tried the password", "the server takes publickey"]);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("wr0ng-pass"));

    let nobody = json!({ "ssh_password": "x", "ssh_port": free_port(), "ssh_timeout": "2s" });
    let ended = apply(&sandbox, server.builder(&nobody), &["true"]).expect_status(1);
    assert_says(&ended, &["SSH was not available within 2s", "refused"]);

    // It takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = silent.local_addr().expect("has an address").port();
    let options = json!({ "ssh_password": "x", "ssh_port": port, "ssh_timeout": "2s" });
    let ended = apply(&sandbox, server.builder(&options), &["true"]).expect_status(1);
    assert_says(&ended, &["waiting for the SSH server", "no answer"]);
    assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
    let options = json!({
        "ssh_password": "x", "ssh_port": port, "ssh_timeout": "3s", "ssh_read_write_timeout": "1s"
    });
    let ended = apply(&sandbox, server.builder(&options), &["true"]).expect_status(1);
    assert_says(&ended, &["nothing has moved for 1 s"]);

    let other = server.builder_with_key(&json!({ "ssh_ciphers": ["aes128-cbc"] }));
    assert_says(&apply(&sandbox, other, &["true"]).expect_status(1), &["shares no algorithm", "aes128-cbc"]);
}

#[test]
#[ignore = "needs sshd and root"]
fn host_keys_are_held_against_a_file_and_may_not_change_within_a_run() {
    let sandbox = Sandbox::without_engine();
    let mut server = Sshd::start(&sandbox, "");
    let key = std::fs::read_to_string(server.path("host.pub")).expect("is readable");
    let (port, known) = (server.port, json!({ "ssh_known_hosts_file": "known" }));
    sandbox.write("known", format!("[127.0.0.1]:{port} {key}"));
    apply(&sandbox, server.builder_with_key(&known), &["true"]).expect_status(0);
    must(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(sandbox.path("known")));
    apply(&sandbox, server.builder_with_key(&known), &["true"]).expect_status(0);
    sandbox.write("known", format!("elsewhere {key}"));
    let ended = apply(&sandbox, server.builder_with_key(&known), &["true"]).expect_status(1);
    assert_says(&ended, &["there is no host key of 127.0.0.1", "SHA256:"]);

    sandbox.write("known", format!("[127.0.0.1]:{port} {key}"));
    server.change_host_key();
    server.kill();
    server.run();
    let ended = apply(&sandbox, server.builder_with_key(&known), &["true"]).expect_status(1);
    assert_says(&ended, &["is not the one in known", "SHA256:"]);
    assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);

    // Without a file any key is taken at first, and no other later.
    let provisioners = json!([
        { "type": "shell", "inline": ["echo begun; sleep 60"], "expect_disconnect": true, "skip_clean": true,
          "remote_folder": "." },
        shell(&["echo never"])
    ]);
    sandbox.template(&template(server.builder_with_key(&json!({})), provisioners));
    let mut running = Running::start(&mut sandbox.rpk(&["apply", "template.json"]));
    assert!(running.wait_for("begun"));
    server.kill();
    server.change_host_key();
    server.run();
    let ended = running.end().expect_status(1);
    assert_says(&ended, &["has changed", "ssh_known_hosts_file"]);
    assert!(!ended.stdout.contains("never"));
}

#[test]
#[ignore = "needs sshd and root"]
fn bastions_and_proxies_lead_to_the_machine() {
    let sandbox = Sandbox::without_engine();
    let server = Sshd::start(&sandbox, "");
    let bastion = Sshd::start_for(&sandbox, "bastion", &server.user, "");
    let through = json!({
        "ssh_bastion_host": "127.0.0.1", "ssh_bastion_port": bastion.port, "ssh_bastion_username": bastion.user,
        "ssh_bastion_private_key_file": bastion.path("id"),
    });
    let lines = ["echo from ${SSH_CLIENT% *}", "echo done"];
    apply(&sandbox, server.builder_with_key(&through), &lines).expect_status(0);
    let log = std::fs::read_to_string(bastion.path("log")).expect("is readable");
    assert!(log.contains("Accepted publickey"), "{log}");
    let mut wrong = through.clone();
    wrong["ssh_bastion_private_key_file"] = json!(server.path("id"));
    wrong["ssh_handshake_attempts"] = json!(1);
    let ended = apply(&sandbox, server.builder_with_key(&wrong), &lines).expect_status(1);
    assert_says(&ended, &[&format!("logging in to 127.0.0.1:{}", bastion.port)]);

    let port = free_port();
    let ssh = ["-N", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-D"];
    let _proxy = Helper::start(
        Command::new("ssh").args(ssh).arg(format!("127.0.0.1:{port}")).arg("-i").arg(bastion.path("id")).args([
            "-p",
            &bastion.port.to_string(),
            &format!("{}@127.0.0.1", bastion.user),
        ]),
    );
    wait_for_port(port);
    let through = json!({ "ssh_proxy_host": "127.0.0.1", "ssh_proxy_port": port });
    apply(&sandbox, server.builder_with_key(&through), &lines).expect_status(0);
}

#[test]
#[ignore = "needs sshd and root"]
fn tunnels_lead_both_ways_and_outlast_a_pause() {
    let sandbox = Sandbox::without_engine();
    let server = Sshd::start(&sandbox, "");
    let echo = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let echo_port = echo.local_addr().expect("has an address").port();
    std::thread::spawn(move || {
        for stream in echo.incoming() {
            let mut stream = stream.expect("is accepted");
            let mut text = [0; 5];
            stream.read_exact(&mut text).expect("is sent");
            stream.write_all(&text).expect("is read");
        }
    });
    let (here, there) = (free_port(), free_port());
    let options = json!({
        "ssh_local_tunnels": [format!("{here}:127.0.0.1:{echo_port}")],
        "ssh_remote_tunnels": [format!("{there}:127.0.0.1:{echo_port}")],
        "pause_before_connecting": "1s",
    });
    let ask = |port: u16| format!("exec 3<>/dev/tcp/127.0.0.1/{port}; printf hello >&3; head -c 5 <&3");
    let provisioners = json!([
        { "type": "shell", "inline": [ask(there)], "inline_shebang": "/bin/bash -e", "remote_folder": "." },
        { "type": "shell-local", "inline": [ask(here)], "inline_shebang": "/bin/bash -e" },
    ]);
    let ended = sandbox.apply(&template(server.builder_with_key(&options), provisioners), &[]).expect_status(0);
    assert_says(&ended, &["Pausing 1s before connecting"]);
    assert_eq!(ended.stdout.matches(": hello").count(), 2, "{}", ended.stdout);
    assert!(TcpStream::connect(("127.0.0.1", here)).is_err());

    let taken = TcpListener::bind(("127.0.0.1", here)).expect("the port is free again");
    let ended = apply(&sandbox, server.builder_with_key(&options), &["true"]).expect_status(1);
    assert_says(&ended, &[&format!("listening on 127.0.0.1:{here}"), "ssh_local_tunnels"]);
    drop(taken);
}

#[test]
#[ignore = "needs sshd and root"]
fn commands_have_statuses_and_terminals() {
    let sandbox = Sandbox::without_engine();
    let server = Sshd::start(&sandbox, "");
    let builder = || server.builder_with_key(&json!({}));
    let script = |line: &str, codes: &[i64]| {
        let mut script = shell(&[line]);
        script["valid_exit_codes"] = json!(codes);
        script
    };
    let accepted = json!([script("exit 3", &[3]), script("kill -9 $$", &[137])]);
    sandbox.apply(&template(builder(), accepted), &[]).expect_status(0);
    let ended = sandbox.apply(&template(builder(), json!([script("exit 3", &[0, 4])])), &[]).expect_status(1);
    assert_says(&ended, &["non-zero exit status: 3. Allowed exit codes are: [0 4]"]);
    let ended =
        apply(&sandbox, server.builder_with_key(&json!({ "ssh_pty": true })), &["tty", "stty size", "echo $TERM"]);
    assert_says(&ended.expect_status(0), &["/dev/pts/", "40 80", "xterm"]);
    // A script that failed stays, as with Packer; the others are gone.
    let left = std::fs::read_dir(format!("/home/{}", server.user)).expect("is readable").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left.iter().filter(|name| name.to_string_lossy().starts_with("script_")).count(), 1, "{left:?}");
}

/// What two programs have said and left.
fn compare(sandbox: &Sandbox, builder: &Json, provisioners: &Json, folder: &Path, prepare: &dyn Fn()) {
    let mut results = Vec::new();
    for program in ["rpk", "packer"] {
        let _ = std::fs::remove_dir_all(folder);
        prepare();
        sandbox.template(&template(builder.clone(), provisioners.clone()));
        let mut command = if program == "rpk" { sandbox.rpk(&[]) } else { sandbox.command(program) };
        let ended = run(command.args(["build", "template.json"]));
        assert_eq!(ended.status, Some(0), "{program} {provisioners}:\n{}\n{}", ended.stdout, ended.stderr);
        results.push(listing(folder));
    }
    assert_eq!(results[0], results[1], "{provisioners}");
    assert!(!results[0].is_empty());
}

/// Lists what is in a folder: paths, modes, contents.
fn listing(folder: &Path) -> String {
    let script = "find . -printf '%P %m %y\\n' | sort; find . -type f | sort | xargs -d '\\n' -r cksum";
    let output = Command::new("sh").args(["-c", script]).current_dir(folder).output().expect("find is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "needs sshd, root and packer"]
fn files_go_up_and_down_as_with_packer() {
    let sandbox = Sandbox::without_engine();
    let server = Sshd::start(&sandbox, "");
    std::fs::create_dir_all(sandbox.path("d/sub/deep")).expect("is writable");
    std::fs::create_dir_all(sandbox.path("d/empty")).expect("is writable");
    sandbox.write("d/a", "a");
    sandbox.write("d/sub/b c", "b".repeat(100_000));
    sandbox.write("d/sub/deep/none", "");
    must(Command::new("chmod").args(["755", "d/a"]).current_dir(sandbox.path("")));
    must(Command::new("chmod").args(["600", "d/sub/b c"]).current_dir(sandbox.path("")));
    must(Command::new("chmod").args(["750", "d/sub"]).current_dir(sandbox.path("")));
    let home = std::path::PathBuf::from(format!("/home/{}/t", server.user));
    let prepare = || {
        must(Command::new("install").args(["-d", "-o", &server.user]).arg(&home));
        must(Command::new("install").args(["-d", "-o", &server.user]).arg(home.join("e")));
    };
    let up = |source: &str, destination: &str| json!({ "type": "file", "source": source, "destination": format!("{}/{destination}", home.display()) });
    for method in ["scp", "sftp"] {
        let builder = server.builder_with_key(&json!({ "ssh_file_transfer_method": method }));
        let mut all = vec![
            up("d/a", "x"),
            up("d/sub/b c", "e/"),
            up("d/sub/deep/none", "with space"),
            up("d", "e"),
            up("d/", "e"),
            json!({ "type": "file", "sources": ["d/a", "d/sub/b c"], "destination": "t/" }),
        ];
        if method == "scp" {
            // What Packer makes of a folder that is not there differs by method, and one of them is no folder.
            all.extend([up("d", "new"), json!({ "type": "file", "source": "d/a", "destination": "~/t/home" })]);
        }
        for provisioner in &all {
            compare(&sandbox, &builder, &json!([provisioner]), &home, &prepare);
        }
        let shell = json!([{ "type": "shell", "inline": ["umask 022", format!("env | grep PACKER_ | sort > {}/env", home.display())] }]);
        compare(&sandbox, &builder, &shell, &home, &prepare);

        let remote = sandbox.outside(format!("remote-{method}"));
        must(Command::new("cp").arg("-r").arg(sandbox.path("d")).arg(&remote));
        std::fs::rename(remote.join("sub/b c"), remote.join("sub/bc")).expect("is there");
        must(Command::new("chmod").args(["755"]).arg(sandbox.outside("")));
        must(Command::new("chown").args(["-R", &server.user]).arg(&remote));
        let down = |source: &str, destination: &str| {
            let source = format!("{}{source}", remote.display());
            json!({ "type": "file", "direction": "download", "source": source, "destination": destination })
        };
        let prepare = || std::fs::create_dir(sandbox.path("dn")).expect("is writable");
        for provisioner in
            [down("/a", "dn/x"), down("/sub/bc", "dn/q/"), down("/sub/deep/none", "dn/n"), down("/", "dn")]
        {
            compare(&sandbox, &builder, &json!([provisioner]), &sandbox.path("dn"), &prepare);
        }
    }
}

#[test]
#[ignore = "needs sshd and root"]
fn transfers_fail_with_the_machines_own_words() {
    let sandbox = Sandbox::without_engine();
    let server = Sshd::start(&sandbox, "");
    sandbox.write("a", "a");
    for (method, words) in [("scp", "No such file or directory"), ("sftp", "no such file or folder")] {
        let builder = server.builder_with_key(&json!({ "ssh_file_transfer_method": method }));
        let up = json!([{ "type": "file", "source": "a", "destination": "/nowhere/at/all" }]);
        let ended = sandbox.apply(&template(builder.clone(), up), &[]).expect_status(1);
        assert_says(&ended, &["uploading to /nowhere/at/all on the machine", words]);
        let down = json!([{ "type": "file", "direction": "download", "source": "/nowhere", "destination": "x" }]);
        let ended = sandbox.apply(&template(builder, down), &[]).expect_status(1);
        assert_says(&ended, &["downloading /nowhere from the machine", words]);
        assert!(!sandbox.path("x").exists());
    }
    let other = Sshd::start_for(&sandbox, "no-scp", &server.user, "SetEnv PATH=/nowhere");
    let up = json!([{ "type": "file", "source": "a", "destination": "/tmp/a" }]);
    let ended = sandbox.apply(&template(other.builder_with_key(&json!({})), up), &[]).expect_status(1);
    assert_says(&ended, &["the machine has no `scp`", "ssh_file_transfer_method"]);
}

#[test]
#[ignore = "needs sshd and root"]
fn a_machine_that_goes_down_is_waited_for_or_told() {
    let sandbox = Sandbox::without_engine();
    let mut server = Sshd::start(&sandbox, "");
    let cut = |sandbox: &Sandbox, server: &mut Sshd, first: Json, is_back: bool| {
        let provisioners = json!([first, shell(&["echo after"])]);
        sandbox.template(&template(server.builder_with_key(&json!({})), provisioners));
        let mut running = Running::start(&mut sandbox.rpk(&["apply", "template.json"]));
        assert!(running.wait_for("begun"));
        server.kill();
        if is_back {
            std::thread::sleep(Duration::from_secs(3));
            server.run();
        }
        running.end()
    };
    let script = |extra: Json| {
        let mut script = shell(&["echo begun; sleep 60"]);
        for (name, value) in extra.as_object().expect("is an object") {
            script[name] = value.clone();
        }
        script
    };
    let ended = cut(&sandbox, &mut server, script(json!({})), false).expect_status(1);
    assert_says(&ended, &["the connection was lost while the script ran", "expect_disconnect"]);
    assert!(!ended.stdout.contains("after\n"));
    server.run();
    let ended = cut(&sandbox, &mut server, script(json!({ "expect_disconnect": true })), true).expect_status(0);
    assert_says(&ended, &["null: after"]);
    let listed = script(json!({ "valid_exit_codes": [2_300_218] }));
    assert_says(&cut(&sandbox, &mut server, listed, true).expect_status(0), &["null: after"]);
    let short = script(json!({ "expect_disconnect": true, "start_retry_timeout": "3s" }));
    let ended = cut(&sandbox, &mut server, short, false).expect_status(1);
    assert_says(&ended, &["there is no new one"]);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
}

#[test]
#[ignore = "needs sshd and root"]
fn cancelling_ends_what_runs_on_the_machine() {
    let sandbox = Sandbox::without_engine();
    let server = Sshd::start(&sandbox, "");
    let root = Sshd::start_for(&sandbox, "root", "root", "");
    for (builder, seconds) in [
        (server.builder_with_key(&json!({})), "4711.25"),
        (server.builder_with_key(&json!({ "ssh_pty": true })), "4711.5"),
        (root.builder_with_key(&json!({})), "4711.75"),
    ] {
        let line = format!("echo begun; sleep {seconds} & sleep {seconds}");
        sandbox.template(&template(builder, json!([shell(&[&line])])));
        let mut running = Running::start(&mut sandbox.rpk(&["apply", "template.json"]));
        assert!(running.wait_for("begun"));
        running.signal(Signal::INT);
        let ended = running.end();
        assert_ne!(ended.status, Some(0));
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
        for _ in 0..40 {
            if !is_running(seconds) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(!is_running(seconds), "sleep {seconds} goes on");
    }
}

/// Tells whether a `sleep` of that many seconds runs on this machine.
fn is_running(seconds: &str) -> bool {
    let words = format!("sleep\0{seconds}\0");
    let processes = std::fs::read_dir("/proc").expect("is readable").flatten();
    processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok()).any(|line| line == words)
}

#[test]
#[ignore = "needs sshd and root"]
fn secrets_of_the_connection_are_nowhere_to_be_seen() {
    let sandbox = Sandbox::without_engine();
    let server = Sshd::start(&sandbox, "");
    let builder = server.builder(&json!({ "ssh_password": PASSWORD }));
    let lines =
        ["cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '", "echo {{build `Password`}}", "echo {{build `Host`}}"];
    let ended = apply(&sandbox, builder, &lines).expect_status(0);
    assert_says(&ended, &["<sensitive>", "127.0.0.1"]);
    let planned = run(&mut sandbox.rpk(&["plan", "-out", "saved.plan", "template.json"])).expect_status(0);
    for text in [&ended.stdout, &ended.stderr, &planned.stdout, &planned.stderr] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    let script = format!("grep -rlF -- '{PASSWORD}' {} || true", sandbox.outside("home").display());
    let found = Command::new("sh").args(["-c", &script]).output().expect("grep is installed");
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
}
