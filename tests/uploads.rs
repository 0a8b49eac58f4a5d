//! `upload` against real servers: one that takes files by PUT and misbehaves on demand, storage that speaks S3, and
//! OpenSSH's SFTP server.

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::sshd::{PASSWORD, Sshd};
use common::{Ended, Sandbox, run};
use serde_json::{Value as Json, json};

/// A server that ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts the server of `fixtures/put_server.py`, which prints its port.
    fn of_files(sandbox: &Sandbox) -> Self {
        let folder = sandbox.outside("served");
        std::fs::create_dir(&folder).expect("the folder is writable");
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/put_server.py");
        let mut child = Command::new("python3")
            .arg(script)
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let mut port = String::new();
        let stdout = child.stdout.take().expect("the output is piped");
        BufReader::new(stdout).read_line(&mut port).expect("the server says its port");
        Self { child, address: format!("http://127.0.0.1:{}", port.trim()) }
    }

    /// Starts storage that speaks S3, with the bucket `bucket`.
    fn of_storage() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a port is free").port();
        let child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto is installed");
        let server = Self { child, address: format!("http://127.0.0.1:{port}") };
        for _ in 0..300 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                server.curl(&["-X", "PUT", &format!("{}/bucket", server.address)]);
                return server;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("moto does not start");
    }

    /// Asks the server by other means than rpk's.
    fn curl(&self, arguments: &[&str]) -> Vec<u8> {
        // Storage shows objects to those who sign; curl does it in its own way.
        let signed = ["-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", "AKIDKEY:secret"];
        let output = Command::new("curl").args(signed).args(arguments).output().expect("curl is installed");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Uploads files with these options.
fn upload(sandbox: &Sandbox, files: &[&str], options: Json) -> Ended {
    let mut step = json!({ "type": "upload", "timeout": "2s" });
    for (name, value) in options.as_object().expect("options are an object") {
        step[name] = value.clone();
    }
    let sequence = json!([{ "type": "artifice", "files": files, "keep_input_artifact": true }, step]);
    let builder = json!({ "type": "file", "content": "x", "target": "target" });
    sandbox.template(&json!({ "builders": [builder], "post-processors": [sequence] }));
    run(sandbox.rpk(&["apply", "template.json"]).env("AWS_REGION", "eu-west-1"))
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::without_engine();
    sandbox.write("a.box", "box ".repeat(1_000_000));
    sandbox.write("b c", "small");
    sandbox
}

fn requests(sandbox: &Sandbox) -> Vec<String> {
    let log = std::fs::read_to_string(sandbox.outside("served/requests.log")).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_says(ended: &Ended, parts: &[&str]) {
    let text = format!("{}{}", ended.stdout, ended.stderr);
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
#[ignore = "needs python3"]
fn files_arrive_whole_and_verified() {
    let sandbox = sandbox();
    let server = Server::of_files(&sandbox);
    let url = format!("{}/ok/{{{{.BuildName}}}}/", server.address);
    let ended = upload(&sandbox, &["a.box", "b c"], json!({ "url": url })).expect_status(0);
    assert_says(&ended, &["Uploaded a.box: its entity tag is the MD5 of the file"]);
    let served = |name: &str| std::fs::read(sandbox.outside("served").join(name)).expect("has arrived");
    assert!(served("ok+file+a.box") == std::fs::read(sandbox.path("a.box")).expect("is readable"));
    assert_eq!(served("ok+file+b%20c"), b"small");
    let plain = json!({ "url": format!("{}/plain/a.box?signature=s3cr3t", server.address) });
    let ended = upload(&sandbox, &["a.box"], plain).expect_status(0);
    assert!(!ended.stdout.contains("s3cr3t"), "{}", ended.stdout);
    let short = json!({ "url": format!("{}/short/a.box", server.address) });
    let ended = upload(&sandbox, &["a.box"], short).expect_status(1);
    assert_says(&ended, &["the server has 2000000 bytes now, the file has 4000000"]);
}

#[test]
#[ignore = "needs python3"]
fn what_may_pass_is_tried_again_and_what_will_not_is_told_at_once() {
    let sandbox = sandbox();
    let server = Server::of_files(&sandbox);
    let to = |place: &str| format!("{}/{place}/a.box", server.address);
    let counted =
        |place: &str| requests(&sandbox).iter().filter(|line| line.contains(&format!("PUT /{place}/"))).count();

    let wrong = json!({ "url": to("login"), "headers": { "Authorization": "Bearer wrong-t0ken" } });
    let ended = upload(&sandbox, &["a.box"], wrong).expect_status(1);
    assert_says(&ended, &["401", "who are you?", "check the credentials"]);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("wrong-t0ken"));
    assert_eq!(counted("login"), 1);
    let right = json!({ "url": to("login"), "headers": { "Authorization": "Bearer right" } });
    upload(&sandbox, &["a.box"], right).expect_status(0);

    let ended = upload(&sandbox, &["a.box"], json!({ "url": to("busy") })).expect_status(0);
    assert_says(&ended, &["429", "trying again in 1.0 s"]);
    assert_eq!(counted("busy"), 2);

    upload(&sandbox, &["a.box"], json!({ "url": to("flaky") })).expect_status(0);
    assert_eq!(counted("flaky"), 4);

    let ended = upload(&sandbox, &["a.box"], json!({ "url": to("broken"), "retries": 1 })).expect_status(1);
    assert_says(&ended, &["2 attempts have failed", "500", "out of order"]);
    assert_eq!(counted("broken"), 2);

    let ended = upload(&sandbox, &["a.box"], json!({ "url": to("gone") })).expect_status(1);
    assert_says(&ended, &["404", "check `url`"]);

    let ended = upload(&sandbox, &["a.box"], json!({ "url": to("hang"), "retries": 1 })).expect_status(1);
    assert_says(&ended, &["the server has been silent for 2 s", "2 attempts have failed"]);
    assert!(ended.took < Duration::from_secs(15), "{:?}", ended.took);

    let nobody = json!({ "url": "http://127.0.0.1:1/a", "retries": 0 });
    assert_says(&upload(&sandbox, &["a.box"], nobody).expect_status(1), &["see whether the server can be reached"]);
}

#[test]
#[ignore = "needs moto and curl"]
fn storage_takes_small_files_whole_and_large_ones_in_parts() {
    let sandbox = sandbox();
    let server = Server::of_storage();
    let large: Vec<u8> =
        (0_u32..20_000_000).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    sandbox.write("large", &large);
    let options = json!({
        "url": "s3://bucket/boxes/{{.BuildName}}/", "endpoint": server.address,
        "access_key": "AKIDKEY", "secret_key": "s3cr3t-key",
        "headers": { "x-amz-meta-made-by": "rpk" }
    });
    let ended = upload(&sandbox, &["b c", "large"], options).expect_status(0);
    assert_says(&ended, &["Uploaded b c", "Uploaded large"]);
    assert!(!ended.stdout.contains("s3cr3t-key"), "{}", ended.stdout);
    let get = |key: &str| server.curl(&[&format!("{}/bucket/boxes/file/{key}", server.address)]);
    assert_eq!(get("b%20c"), b"small");
    assert!(get("large") == large, "the parts are not the file");
    let head = server.curl(&["-I", &format!("{}/bucket/boxes/file/large", server.address)]);
    let head = String::from_utf8_lossy(&head).to_lowercase();
    assert!(head.contains("x-amz-meta-made-by: rpk"), "{head}");
}

#[test]
#[ignore = "needs moto and curl"]
fn storage_keeps_what_has_arrived_for_the_next_run() {
    let sandbox = sandbox();
    let server = Server::of_storage();
    let large = vec![7_u8; 70 << 20];
    sandbox.write("large", &large);
    let object = format!("{}/bucket/large", server.address);
    let begun = String::from_utf8(server.curl(&["-X", "POST", &format!("{object}?uploads")])).expect("is text");
    let id = begun.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()).expect("has an id");
    sandbox.write("part", &large[..16 << 20]);
    let part = format!("@{}", sandbox.path("part").display());
    server.curl(&[
        "-H",
        "Content-Type: application/octet-stream",
        "-X",
        "PUT",
        "--data-binary",
        &part,
        &format!("{object}?partNumber=1&uploadId={id}"),
    ]);
    let options = json!({
        "url": "s3://bucket/large", "endpoint": server.address, "access_key": "AKIDKEY", "secret_key": "secret"
    });
    let ended = upload(&sandbox, &["large"], options).expect_status(0);
    assert_says(&ended, &["1 of 5 parts were there from an earlier run"]);
    assert!(server.curl(&[&object]) == large);
}

#[test]
#[ignore = "needs moto and curl"]
fn storage_without_the_bucket_is_a_clear_failure() {
    let sandbox = sandbox();
    let server = Server::of_storage();
    let options = json!({
        "url": "s3://elsewhere/", "endpoint": server.address, "access_key": "AKIDKEY", "secret_key": "secret"
    });
    let ended = upload(&sandbox, &["b c"], options).expect_status(1);
    assert_says(&ended, &["NoSuchBucket", "uploading b c to s3://elsewhere/b c"]);
    let bare = json!({ "url": "s3://bucket/", "endpoint": server.address });
    assert_says(&upload(&sandbox, &["b c"], bare).expect_status(1), &["nobody has given an access key"]);
}

/// The options of an upload to a server's own folder.
fn to_sshd(sandbox: &Sandbox, server: &Sshd, path: &str) -> Json {
    let key = std::fs::read_to_string(server.path("host.pub")).expect("is readable");
    sandbox.write("known", format!("[127.0.0.1]:{} {key}", server.port));
    json!({
        "url": format!("sftp://{}@127.0.0.1:{}{path}", server.user, server.port),
        "private_key_file": server.path("id"), "known_hosts_file": "known"
    })
}

#[test]
#[ignore = "needs sshd and root"]
fn sftp_servers_get_files_whole_and_only_what_is_missing() {
    let sandbox = sandbox();
    let server = Sshd::start(&sandbox, "");
    let home = PathBuf::from(format!("/home/{}", server.user));
    let options = to_sshd(&sandbox, &server, "/~/new/folder/");
    let ended = upload(&sandbox, &["a.box", "b c"], options.clone()).expect_status(0);
    assert_says(&ended, &["Uploaded a.box: the server has its SHA-256"]);
    let file = std::fs::read(sandbox.path("a.box")).expect("is readable");
    assert!(std::fs::read(home.join("new/folder/a.box")).expect("has arrived") == file);
    assert_eq!(std::fs::read(home.join("new/folder/b c")).expect("has arrived"), b"small");
    assert_eq!(std::fs::read_dir(home.join("new/folder")).expect("is there").count(), 2, "no parts are left");
    assert_says(&upload(&sandbox, &["a.box"], options).expect_status(0), &["a.box is there already"]);

    // An earlier run came this far.
    let digest = std::process::Command::new("sha256sum").arg(sandbox.path("a.box")).output().expect("is installed");
    let digest = String::from_utf8_lossy(&digest.stdout)[..8].to_owned();
    let part = home.join(format!("b.box.{digest}.part"));
    std::fs::write(&part, &file[..1_000_000]).expect("is writable");
    common::sshd::must(Command::new("chown").arg(&server.user).arg(&part));
    let ended = upload(&sandbox, &["a.box"], to_sshd(&sandbox, &server, "/~/b.box")).expect_status(0);
    assert_says(&ended, &["1000000 of 4000000 bytes were there from an earlier run"]);
    assert!(std::fs::read(home.join("b.box")).expect("has arrived") == file && !part.exists());
    // What it left may be something else.
    std::fs::write(&part, vec![0; 1_000_000]).expect("is writable");
    common::sshd::must(Command::new("chown").arg(&server.user).arg(&part));
    upload(&sandbox, &["a.box"], to_sshd(&sandbox, &server, "/~/b.box.2")).expect_status(0);
    std::fs::remove_file(home.join("b.box")).expect("is there");
    upload(&sandbox, &["a.box"], to_sshd(&sandbox, &server, "/~/b.box")).expect_status(0);
    assert!(std::fs::read(home.join("b.box")).expect("has arrived") == file);
}

#[test]
#[ignore = "needs sshd and root"]
fn sftp_servers_without_a_shell_are_verified_by_reading_back() {
    let sandbox = sandbox();
    let server = Sshd::start(&sandbox, "ForceCommand internal-sftp");
    let ended = upload(&sandbox, &["a.box"], to_sshd(&sandbox, &server, "/~/")).expect_status(0);
    assert_says(&ended, &["the server has its SHA-256"]);
}

#[test]
#[ignore = "needs sshd and root"]
fn sftp_servers_that_refuse_or_are_not_trusted_are_clear_failures() {
    let sandbox = sandbox();
    let mut server = Sshd::start(&sandbox, "");
    let mut wrong = to_sshd(&sandbox, &server, "/~/");
    wrong.as_object_mut().expect("is an object").remove("private_key_file");
    wrong["password"] = json!("wr0ng-pass");
    let ended = upload(&sandbox, &["b c"], wrong.clone()).expect_status(1);
    assert_says(&ended, &["logging in to 127.0.0.1", "tried the password"]);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("wr0ng-pass"));
    wrong["password"] = json!(PASSWORD);
    upload(&sandbox, &["b c"], wrong.clone()).expect_status(0);
    wrong.as_object_mut().expect("is an object").remove("known_hosts_file");
    assert_says(&upload(&sandbox, &["b c"], wrong).expect_status(1), &["known_hosts"]);

    let denied = to_sshd(&sandbox, &server, "/root/");
    assert_says(&upload(&sandbox, &["b c"], denied).expect_status(1), &["permission denied"]);
    let mut gone = to_sshd(&sandbox, &server, "/~/");
    server.kill();
    gone["retries"] = json!(1);
    let ended = upload(&sandbox, &["b c"], gone).expect_status(1);
    assert_says(&ended, &["2 attempts have failed", "trying again in 0.5 s", "refused"]);
}
