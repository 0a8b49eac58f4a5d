//! Configuration managers on a real engine: Debian's Puppet provisions a container, and the others' command lines and
//! uploads are compared with those of Packer 1.6.6.
//!
//! For what Debian does not bring in seconds, a stand-in of the executable's name writes down how it was called: its
//! folder, its arguments, the environment that was meant for it. What was uploaded stays in the container, so that
//! the two file systems are compared whole.

mod common;

use std::path::Path;
use std::process::Command;

use common::building::{assert_contains, in_image, name_of, shell, tag, template};
use common::tree::{self, Tree};
use common::{Ended, Sandbox, run};
use serde_json::{Value as Json, json};

/// Where the stand-ins write.
const RECORD: &str = "/record";

/// Where the container's file system goes.
const ARCHIVE: &str = "out.tar";

/// Neither the stand-ins nor an installed Puppet need a network.
const RUN_COMMAND: [&str; 7] = ["-d", "-i", "-t", "--network=none", "--entrypoint=/bin/sh", "--", "{{.Image}}"];

/// Writes files, with the folders above them.
fn write(sandbox: &Sandbox, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = sandbox.path(name);
        std::fs::create_dir_all(path.parent().expect("is in a folder")).expect("the folder is writable");
        std::fs::write(path, text).expect("the folder is writable");
    }
}

/// Makes a provisioner that installs stand-ins of these names, and a `sudo` that is one, too.
fn stand_ins(names: &[&str]) -> Json {
    let mut lines = vec![format!(
        "cat > /bin/stand-in <<'END'
#!/bin/sh
{{
  echo \"${{0##*/}} in $(pwd)\"
  env | grep -E '^(FACTER|ANSIBLE|PYTHONUNBUFFERED)' | sort
  for word; do echo \"  [$word]\"; done
}} >> {RECORD}
END
cat > /bin/sudo <<'END'
#!/bin/sh
echo \"sudo $*\" >> {RECORD}
[ \"$1\" != -E ] || shift
exec \"$@\"
END
chmod 755 /bin/stand-in /bin/sudo"
    )];
    lines.extend(names.iter().map(|name| format!("ln -s stand-in /bin/{name}")));
    json!({ "type": "shell", "inline": lines })
}

/// What a program made of a template.
struct Made {
    record: String,
    /// The texts of the files that were asked for, which the tree leaves out.
    texts: Vec<String>,
    tree: Tree,
}

/// Builds the template in the sandbox's folder by a program and returns what came of it.
#[track_caller]
fn build(sandbox: &Sandbox, program: &str, provisioners: &Json, files: &[&str]) -> Made {
    let options = json!({ "export_path": ARCHIVE, "run_command": RUN_COMMAND });
    sandbox.template(&template(sandbox, options, provisioners.clone(), json!([])));
    let mut command = if program == "rpk" { sandbox.rpk(&[]) } else { sandbox.command(program) };
    let ended = run(command.args(["build", "template.json"]));
    assert_eq!(ended.status, Some(0), "{program}:\n{}\n{}", ended.stdout, ended.stderr);
    let archive = sandbox.path(ARCHIVE);
    let mut tree = tree::of_archive(std::fs::File::open(&archive).expect("it was exported"), 0);
    let record = text_of(&archive, RECORD);
    let texts = files.iter().map(|file| text_of(&archive, file)).collect();
    std::fs::remove_file(archive).expect("the folder is writable");
    // Their texts are compared, without what is random in them.
    for file in files.iter().chain(&[RECORD]) {
        tree.remove(file.trim_start_matches('/'));
    }
    Made { record, texts, tree }
}

/// Reads a text file of an archive; empty if there is none.
fn text_of(archive: &Path, path: &str) -> String {
    let words = ["-xOf".into(), archive.as_os_str().to_owned(), path.trim_start_matches('/').into()];
    let output = Command::new("tar").args(words).output().expect("tar is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Takes out of Packer's record what is random there.
fn without_chance(record: &str) -> String {
    let mut out = String::new();
    let mut rest = record;
    for name in ["packer-provisioner-ansible-local"] {
        while let Some(at) = rest.find(name) {
            let end = at + name.len();
            out.push_str(&rest[..end]);
            rest = rest[end..].trim_start_matches(|letter: char| letter.is_ascii_digit());
        }
    }
    out + rest
}

/// Runs the provisioners by both programs; their records and their containers' file systems must be the same.
#[track_caller]
fn compare(sandbox: &Sandbox, provisioners: &Json) -> String {
    let ours = build(sandbox, "rpk", provisioners, &[]);
    let theirs = build(sandbox, "packer", provisioners, &[]);
    assert_same(&ours, &theirs);
    ours.record
}

/// Checks that two programs have run the same commands and left the same files.
#[track_caller]
fn assert_same(ours: &Made, theirs: &Made) {
    let (our, their) = (without_chance(&ours.record), without_chance(&theirs.record));
    assert!(our == their, "what was run differs:\nrpk:\n{our}\npacker:\n{their}");
    let differences = tree::differences(&ours.tree, &theirs.tree);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Applies provisioners, and expects an error.
fn fail(sandbox: &Sandbox, provisioners: Json) -> Ended {
    let options = json!({ "run_command": RUN_COMMAND });
    sandbox.apply(&template(sandbox, options, provisioners, json!([])), &[]).expect_status(1)
}

#[test]
#[ignore = "needs docker and packer"]
fn puppet_masterless_uploads_and_runs_as_packer_does() {
    let sandbox = Sandbox::new();
    write(
        &sandbox,
        &[
            ("site.pp", "include app"),
            ("hiera.yaml", "version: 5"),
            ("modules/app/manifests/init.pp", "class app {}"),
            ("modules/app/files/a b.txt", "text"),
            ("more/lib/x.pp", "x"),
            ("manifests/nodes/web.pp", "y"),
        ],
    );
    let sudo = json!({
        "type": "puppet-masterless", "manifest_file": "site.pp", "module_paths": ["modules", "more/"],
        "hiera_config_path": "hiera.yaml", "extra_arguments": ["--verbose", "--noop {{.ModulePath}}"],
    });
    let plain = json!({
        "type": "puppet-masterless", "manifest_file": "manifests", "manifest_dir": "manifests",
        "prevent_sudo": true, "staging_directory": "/opt/staging", "working_directory": "/opt",
        "puppet_bin_dir": "/bin", "facter": { "role": "web server" },
    });
    let own = json!({
        "type": "puppet-masterless", "manifest_file": "site.pp", "staging_directory": "/gone",
        "clean_staging_directory": true, "prevent_sudo": true,
        "execute_command": "cd {{.WorkingDir}} && {{.FacterVars}} {{if .Sudo}}sudo{{end}} puppet own {{.ManifestFile}}"
    });
    let record = compare(&sandbox, &json!([stand_ins(&["puppet"]), sudo, plain, own]));
    assert_contains(
        &record,
        &[
            "puppet in /tmp/packer-puppet-masterless\nFACTER_packer_build_name=docker\n",
            "  [--modulepath=/tmp/packer-puppet-masterless/module-0:/tmp/packer-puppet-masterless/module-1]",
            "  [/opt/staging/manifests]",
            "  [own]\n  [/gone/manifests/site.pp]",
        ],
    );
}

/// Makes a sandbox whose image has Debian's Puppet.
fn puppet_sandbox() -> (Sandbox, Json) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/base-images.sh");
    let made = Command::new(script).arg("puppet").status().expect("the script can be run");
    assert!(made.success(), "there is no image with Puppet");
    let sandbox = Sandbox::new();
    (sandbox, json!({ "image": "rpk-test/puppet", "run_command": RUN_COMMAND }))
}

#[test]
#[ignore = "needs docker"]
fn puppet_provisions_a_container() {
    let (sandbox, options) = puppet_sandbox();
    write(
        &sandbox,
        &[
            ("site.pp", "class { 'app': greeting => $facts['greeting'] }"),
            (
                "modules/app/manifests/init.pp",
                "class app(String $greeting) {
                   file { '/etc/app.conf':
                     content => epp('app/app.conf.epp', { 'greeting' => $greeting }), mode => '0640',
                   }
                   exec { '/bin/date > /made': creates => '/made' }
                 }",
            ),
            ("modules/app/templates/app.conf.epp", "<%= $greeting %> from <%= $facts['packer_build_name'] %>\n"),
        ],
    );
    let puppet = json!({
        "type": "puppet-masterless", "manifest_file": "site.pp", "module_paths": ["modules"],
        "facter": { "greeting": "it's me" }, "clean_staging_directory": true,
    });
    // The second run finds nothing to do.
    let again = puppet.clone();
    let made = template(&sandbox, options, json!([puppet, again]), json!([tag(&sandbox)]));
    let ended = sandbox.apply(&made, &[]).expect_status(0);
    assert_contains(&ended.stdout, &["defined content as", "Applied catalog"]);
    let seen = in_image(&sandbox, "cat /etc/app.conf; stat -c %a /etc/app.conf; ls /tmp");
    assert_eq!(seen, "it's me from docker\n640", "{}", name_of(&sandbox));

    let ended = sandbox.apply(&made, &[]).expect_status(0);
    assert!(!ended.stdout.contains("Running Puppet"), "an equal run is reused:\n{}", ended.stdout);
    sandbox.write("modules/app/templates/app.conf.epp", "changed");
    let ended = sandbox.apply(&made, &[]).expect_status(0);
    assert_contains(&ended.stdout, &["Running Puppet"]);
    assert_eq!(in_image(&sandbox, "cat /etc/app.conf"), "changed");
}

#[test]
#[ignore = "needs docker"]
fn a_failed_catalog_fails_the_build_unless_the_status_is_ignored() {
    let (sandbox, options) = puppet_sandbox();
    write(&sandbox, &[("bad.pp", "exec { '/bin/false': }")]);
    let mut puppet = json!({ "type": "puppet-masterless", "manifest_file": "bad.pp" });
    let made = template(&sandbox, options.clone(), json!([puppet]), json!([]));
    let ended = sandbox.apply(&made, &[]).expect_status(1);
    assert_contains(&ended.stderr, &["Puppet exited with a non-zero exit status: 4", "`ignore_exit_codes`"]);
    puppet["ignore_exit_codes"] = true.into();
    let made = template(&sandbox, options, json!([puppet]), json!([tag(&sandbox)]));
    sandbox.apply(&made, &[]).expect_status(0);
}

#[test]
#[ignore = "needs docker"]
fn a_machine_without_puppet_or_sudo_says_what_to_do() {
    let sandbox = Sandbox::new();
    write(&sandbox, &[("site.pp", "")]);
    let mut puppet = json!({ "type": "puppet-masterless", "manifest_file": "site.pp" });
    let ended = fail(&sandbox, json!([puppet]));
    assert_contains(&ended.stderr, &["creating /tmp/packer-puppet-masterless", "set `prevent_sudo`"]);
    puppet["prevent_sudo"] = true.into();
    let ended = fail(&sandbox, json!([shell(&["true"]), puppet]));
    assert_contains(&ended.stderr, &["has no `puppet`", "by an earlier provisioner"]);
}

#[test]
#[ignore = "needs docker and packer"]
fn ansible_local_uploads_and_runs_as_packer_does() {
    let sandbox = Sandbox::new();
    write(
        &sandbox,
        &[
            ("site.yml", "- hosts: all"),
            ("books/one.yml", "one"),
            ("books/deep/two.yml", "two"),
            ("apart.yml", "apart"),
            ("roles/web/tasks/main.yml", "web"),
            ("roles/db/tasks/main.yml", "db"),
            ("more/extra.yml", "extra"),
            ("vars/all.yml", "a: 1"),
            ("hosts/local.yml", "b: 2"),
            ("inventory", "local"),
            ("requirements.yml", "- src: x"),
        ],
    );
    let one = json!({
        "type": "ansible-local", "playbook_file": "site.yml", "staging_directory": "/one/",
        "role_paths": ["roles/web", "roles/db/"], "playbook_paths": ["more"], "group_vars": "vars",
        "host_vars": "hosts", "inventory_file": "inventory", "extra_arguments": ["-v", "--diff"],
        "galaxy_file": "requirements.yml",
    });
    let list = json!({
        "type": "ansible-local", "playbook_files": ["books/one.yml", "books/deep/two.yml"],
        "playbook_dir": "books", "staging_directory": "/two", "inventory_file": "inventory",
        "command": "ansible-playbook", "clean_staging_directory": true,
    });
    let record = compare(&sandbox, &json!([stand_ins(&["ansible-playbook", "ansible-galaxy"]), one, list]));
    assert_contains(
        &record,
        &[
            "ansible-galaxy in /one\n  [install]\n  [-r]\n  [/one/requirements.yml]\n  [-p]\n  [/one/roles]",
            "ansible-playbook in /one\nANSIBLE_FORCE_COLOR=1\nPYTHONUNBUFFERED=1\n  [/one/site.yml]",
            "packer_build_name=docker packer_builder_type=docker",
            "ansible-playbook in /two\n  [/two/one.yml]",
        ],
    );

    // The inventory's name is random in Packer, and so is its place in the tree.
    let groups = json!({
        "type": "ansible-local", "playbook_files": ["apart.yml"], "inventory_groups": ["web", "db"],
        "staging_directory": "/three",
        "command": "cat /three/packer-provisioner-ansible-local* >> /record; ansible-playbook",
        "clean_staging_directory": true,
    });
    let record = compare(&sandbox, &json!([stand_ins(&["ansible-playbook"]), groups]));
    assert_contains(&record, &["[web]\n127.0.0.1\n[db]\n127.0.0.1\n", "/work/apart.yml]"]);
}

/// Cuts a text into its words: in configuration files of Ruby, line ends and spaces are a matter of taste.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
#[ignore = "needs docker and packer"]
fn chef_solo_uploads_and_runs_as_packer_does() {
    let sandbox = Sandbox::new();
    write(
        &sandbox,
        &[
            ("cookbooks/app/recipes/default.rb", "log 'x'"),
            ("cookbooks/app/metadata.rb", "name 'app'"),
            ("vendor/db/recipes/default.rb", "log 'y'"),
            ("roles/web.json", "{}"),
            ("bags/users/a.json", "{}"),
            ("environments/dev.json", "{}"),
            ("secret", "s3cret"),
            (
                "solo.rb.template",
                "cookbook_path [{{.CookbookPaths}}]\n{{if .HasRolesPath}}role_path \"{{.RolesPath}}\"{{end}}\n",
            ),
        ],
    );
    let all = json!({
        "type": "chef-solo", "skip_install": true, "cookbook_paths": ["cookbooks", "vendor/"],
        "remote_cookbook_paths": ["/opt/cookbooks"], "roles_path": "roles", "data_bags_path": "bags",
        "environments_path": "environments", "chef_environment": "dev", "encrypted_data_bag_secret_path": "secret",
        "run_list": ["recipe[app]", "role[web]"], "chef_license": "accept",
        "json": { "app": { "port": 80, "ratio": 1.5, "tags": ["<a>", true, null] }, "name": "{{ build_name }}" },
    });
    let plain = json!({
        "type": "chef-solo", "prevent_sudo": true, "staging_directory": "/opt/chef", "version": "17.1",
        "install_command": "installer {{if .Sudo}}sudo{{end}} {{.Version}}", "run_list": ["app"],
        "execute_command": "chef-solo own {{.ConfigPath}} {{.JsonPath}}", "config_template": "solo.rb.template",
        "roles_path": "roles",
    });
    let provisioners = json!([stand_ins(&["chef-solo", "installer"]), all, plain]);
    let mut ours = build(&sandbox, "rpk", &provisioners, &["/tmp/packer-chef-solo/solo.rb"]);
    let mut theirs = build(&sandbox, "packer", &provisioners, &["/tmp/packer-chef-solo/solo.rb"]);
    let (our, their) = (ours.texts.remove(0), theirs.texts.remove(0));
    assert_eq!(words(&our), words(&their), "solo.rb");
    assert_same(&ours, &theirs);
    assert_contains(
        &ours.record,
        &[
            "sudo mkdir -p /tmp/packer-chef-solo/cookbooks-1\nsudo chmod 0777 /tmp/packer-chef-solo/cookbooks-1\n",
            "chef-solo in /\n  [--no-color]\n  [-c]\n  [/tmp/packer-chef-solo/solo.rb]\n  [-j]\n",
            "installer in /\n  [17.1]",
        ],
    );
}

#[test]
#[ignore = "needs docker and packer"]
fn salt_masterless_uploads_and_runs_as_packer_does() {
    let sandbox = Sandbox::new();
    write(
        &sandbox,
        &[
            ("states/top.sls", "base: {}"),
            ("states/web/init.sls", "web: {}"),
            ("pillar/top.sls", "base: {}"),
            ("minion", "master: none"),
            ("grains", "role: web"),
        ],
    );
    let tree = json!({
        "type": "salt-masterless", "skip_bootstrap": true, "local_state_tree": "states",
        "local_pillar_roots": "pillar", "grains_file": "grains", "salt_call_args": "--no-color",
    });
    let state = json!({
        "type": "salt-masterless", "skip_bootstrap": true, "local_state_tree": "states", "disable_sudo": true,
        "custom_state": "web", "remote_state_tree": "/opt/states", "remote_pillar_roots": "/opt/pillar",
        "log_level": "debug", "no_exit_on_failure": true, "temp_config_dir": "/tmp/own",
    });
    let folders = shell(&["mkdir -p /srv /opt"]);
    let provisioners = json!([stand_ins(&["salt-call"]), folders, tree, state]);
    let mut ours = build(&sandbox, "rpk", &provisioners, &[]);
    let mut theirs = build(&sandbox, "packer", &provisioners, &[]);
    // Packer moves with `sudo sudo`, and by other ways.
    for made in [&mut ours, &mut theirs] {
        made.record = made
            .record
            .lines()
            .filter(|line| !line.starts_with("sudo ") || line.contains("salt-call"))
            .map(|line| format!("{line}\n"))
            .collect();
    }
    assert_same(&ours, &theirs);
    assert_contains(
        &ours.record,
        &["sudo salt-call --local state.highstate --file-root=/srv/salt", "  [state.sls]\n  [web]\n"],
    );

    let minion = json!({
        "type": "salt-masterless", "skip_bootstrap": true, "local_state_tree": "states", "minion_config": "minion",
    });
    let provisioners = json!([stand_ins(&["salt-call"]), shell(&["mkdir -p /srv/salt/old"]), minion]);
    let ours = build(&sandbox, "rpk", &provisioners, &[]);
    assert!(ours.tree.contains_key("srv/salt/top.sls") && !ours.tree.contains_key("srv/salt/old"), "{:?}", ours.tree);
    assert!(ours.tree.contains_key("etc/salt/minion"), "{:?}", ours.tree);
    assert!(!ours.record.contains("--file-root"), "{}", ours.record);
}

#[test]
#[ignore = "needs docker and packer"]
fn scripts_for_windows_are_run_as_packer_does() {
    let sandbox = Sandbox::new();
    write(&sandbox, &[("one.ps1", "Write-Host one"), ("two.ps1", "Write-Host two"), ("a.bat", "echo bat >> /record")]);
    let batch = json!({
        "type": "windows-shell", "scripts": ["a.bat"], "remote_path": "/tmp/script.bat",
        "environment_vars": ["A=of \"two\" words"], "valid_exit_codes": [0, 7],
        "execute_command": "echo '{{.Vars}}' >> /record; sh {{.Path}}; exit 7",
    });
    let lines = json!({
        "type": "windows-shell", "inline": ["echo line of {{ build_name }} >> /record", "echo $A >> /record"],
        "remote_path": "/tmp/inline.bat", "env_var_format": "%s=%s ", "environment_vars": ["A=b"],
        "execute_command": "{{.Vars}} sh {{.Path}}",
    });
    let scripts = json!({
        "type": "powershell", "scripts": ["one.ps1", "two.ps1"], "remote_path": "/tmp/script.ps1",
        "remote_env_var_path": "/tmp/variables.ps1", "environment_vars": ["A=$it's `\"x\""], "debug_mode": 1,
        "execution_policy": "remotesigned", "skip_clean": true,
    });
    let own = json!({
        "type": "powershell", "script": "two.ps1", "remote_path": "/tmp/own.ps1",
        "remote_env_var_path": "/tmp/own-variables.ps1", "skip_clean": true, "valid_exit_codes": [0],
        "execute_command": "powershell own {{.Path}} {{.Vars}}",
    });
    let record = compare(&sandbox, &json!([stand_ins(&["powershell"]), batch, lines, scripts, own]));
    assert_contains(
        &record,
        &[
            "set \"PACKER_BUILD_NAME=docker\" && ",
            "line of docker\nb\n",
            "powershell in /\n  [-executionpolicy]\n  [remotesigned]\n",
            "Set-PsDebug -Trace 1;. /tmp/variables.ps1; &'/tmp/script.ps1'; exit  }]",
            "  [own]\n  [/tmp/own.ps1]\n  [/tmp/own-variables.ps1]",
        ],
    );
}

#[test]
#[ignore = "needs docker"]
fn powershell_lines_are_wrapped_and_removed() {
    let sandbox = Sandbox::new();
    // The stand-in keeps the script and what is to be removed in the end.
    let program = shell(&[
        "mkdir -p /Windows/Temp && ln -s / /c:",
        "printf '#!/bin/sh\\necho \"$*\" >> /record; cat \"$4\" >> /record\\n' > /bin/powershell",
        "chmod 755 /bin/powershell",
    ]);
    let lines = json!({ "type": "powershell", "inline": ["Write-Host {{ build_type }}"], "env": { "A": "1" } });
    let ended = build(&sandbox, "rpk", &json!([program, lines]), &[]);
    assert_contains(
        &ended.record,
        &[
            "-executionpolicy bypass -file c:/Windows/Temp/script-",
            "$env:A=\"1\"; ",
            "try {\nWrite-Host docker\n} catch {",
            "-file c:/Windows/Temp/packer-cleanup-",
            "if (Test-Path c:/Windows/Temp/script-",
        ],
    );
    let restart = json!({ "type": "windows-restart", "restart_timeout": "1m" });
    let ended = fail(&sandbox, json!([restart]));
    assert_contains(&ended.stderr, &["`windows-restart` needs a Windows machine behind WinRM"]);
}

#[test]
#[ignore = "needs docker and packer"]
fn puppet_server_and_chef_client_run_as_packer_does() {
    let sandbox = Sandbox::new();
    write(
        &sandbox,
        &[("certs/web.pem", "cert"), ("keys/web.pem", "key"), ("validation.pem", "validation"), ("secret", "s3cret")],
    );
    let puppet = json!({
        "type": "puppet-server", "puppet_server": "puppet.example", "puppet_node": "web", "client_cert_path": "certs",
        "client_private_key_path": "keys", "facter": { "a": "1" }, "extra_arguments": ["--test"],
    });
    let plain = json!({
        "type": "puppet-server", "prevent_sudo": true, "staging_dir": "/opt/puppet", "ignore_exit_codes": true,
        "execute_command": "puppet own {{.PuppetServer}}{{.WorkingDir}}", "clean_staging_directory": true,
    });
    let chef = json!({
        "type": "chef-client", "server_url": "https://chef.example", "node_name": "web", "skip_install": true,
        "validation_key_path": "validation.pem", "validation_client_name": "org", "run_list": ["role[web]"],
        "encrypted_data_bag_secret_path": "secret", "policy_name": "p", "policy_group": "g",
        "ssl_verify_mode": "verify_none", "trusted_certs_dir": "/certs", "chef_license": "accept",
        "json": { "a": 1 }, "skip_clean_staging_directory": true,
    });
    let own = json!({
        "type": "chef-client", "server_url": "https://chef.example", "node_name": "db", "skip_install": true,
        "staging_directory": "/opt/chef", "prevent_sudo": true, "skip_clean_client": true,
        "knife_command": "knife own {{.Args}} {{.Flags}}",
    });
    let files = ["/tmp/packer-chef-client/client.rb", "/tmp/packer-chef-client/knife.rb"];
    let provisioners = json!([stand_ins(&["puppet", "chef-client", "knife"]), puppet, plain, chef, own]);
    let ours = build(&sandbox, "rpk", &provisioners, &files);
    let theirs = build(&sandbox, "packer", &provisioners, &files);
    for (our, their) in ours.texts.iter().zip(&theirs.texts) {
        assert_eq!(words(our), words(their));
    }
    assert_same(&ours, &theirs);
    assert_contains(
        &ours.record,
        &[
            "  [agent]\n  [--onetime]\n  [--no-daemonize]\n  [--detailed-exitcodes]\n  [--server=puppet.example]\n",
            "sudo knife client delete web -y -c /tmp/packer-chef-client/knife.rb\n",
            "knife in /\n  [own]\n  [node]\n  [delete]\n  [db]\n  [-y]\n",
        ],
    );
}
