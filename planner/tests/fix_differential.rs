//! Many small templates through our fixers and through Packer's, which must print the same bytes.
//!
//! Two sources: a grid, in which every key that a fixer knows meets every value of a pool, one to a template; and
//! templates drawn at random, with several parts of several keys. `FIX_CASES` says how many of the latter (100), and
//! `FIX_SEED` which; `FIX_GRID` brings the grid, which takes minutes. A template that Packer refuses or crashes on
//! must be an error of ours.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and tells how much it compared")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use rpk_planner::fix::{fix, print};
use serde_json::{Map, Value, json};

const THREADS: usize = 2;

/// The keys of fixers, by the `type` that makes a fixer look.
const BUILDERS: [(&str, &[&str]); 22] = [
    ("docker", &["iso_md5", "iso_checksum", "iso_checksum_type", "iso_checksum_url", "login_email", "image_labels"]),
    ("null", &["ssh_key_path", "ssh_private_key_file", "ssh_disable_agent", "ssh_disable_agent_forwarding"]),
    ("file", &["ssh_wait_timeout", "ssh_timeout", "ami_name", "bundle_prefix", "snapshot_name", "labels"]),
    ("virtualbox", &["guest_additions_attach", "guest_additions_mode", "ssh_skip_nat_mapping", "skip_nat_mapping"]),
    ("virtualbox-iso", &["ssh_host_port_min", "ssh_host_port_max", "host_port_min", "host_port_max"]),
    ("virtualboxes", &["ssh_host_port_min", "ssh_skip_nat_mapping", "guest_additions_attach"]),
    ("vmware", &["remote_type", "disk_type_id", "skip_compaction"]),
    ("vmware-iso", &["remote_type", "disk_type_id", "skip_compaction"]),
    ("parallels-iso", &["headless", "parallels_tools_host_path", "guest_os_distribution", "guest_os_type"]),
    ("parallels-pvm", &["headless", "parallels_tools_host_path", "guest_os_distribution"]),
    ("scaleway", &["access_key", "organization_id"]),
    ("amazon-ebs", &["shutdown_behaviour", "shutdown_behavior", "enhanced_networking", "ena_support"]),
    ("amazon-instance", &["ssh_private_ip", "ssh_interface", "spot_price_auto_product"]),
    (
        "amazon-x",
        &["temporary_security_group_source_cidr", "temporary_security_group_source_cidrs", "spot_price_auto_product"],
    ),
    ("hyperv-iso", &["vhd_temp_path", "clone_from_vmxc_path", "cpu", "cpus", "ram_size", "memory"]),
    ("hyperv-vmcx", &["vhd_temp_path", "clone_from_vmxc_path", "clone_from_vmcx_path", "cpu", "ram_size"]),
    ("qemu", &["disk_size", "ssh_host_port_min", "ssh_host_port_max", "host_port_min", "host_port_max"]),
    ("vsphere-iso", &["network", "networkCard", "network_card", "network_adapters"]),
    ("vsphere-iso", &["disk_size", "disk_thin_provisioned", "disk_eagerly_scrub", "storage"]),
    ("azure-chroot", &["shared_image_destination", "exlude_from_latest"]),
    ("azure-arm", &["shared_image_destination"]),
    ("proxmox", &["type2"]),
];
const PROVISIONERS: [(&str, &[&str]); 4] = [
    ("powershell", &["elevated_user", "elevated_password", "environment_vars"]),
    ("ansible-local", &["galaxycommand", "galaxy_command"]),
    ("shell", &["override", "elevated_user", "galaxycommand"]),
    ("ansible", &["override", "galaxycommand", "only"]),
];
const POST_PROCESSORS: [(&str, &[&str]); 4] = [
    ("vagrant", &["aws", "digitalocean", "virtualbox", "vmware", "override"]),
    ("manifest", &["filename", "output", "login_email"]),
    ("docker-tag", &["tag", "tags", "login_email"]),
    ("compress", &["filename", "tag", "aws", "login_email"]),
];

fn values() -> Vec<Value> {
    let text = "{{ .CreateTime }}{{{.CreateTime}} {{clean_image_name `x`}} `$ ``` clean_ami_name&<";
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(40960),
        json!(-2.75),
        json!(1.5e17),
        json!(""),
        json!("true"),
        json!("F"),
        json!(" a, b,,a "),
        json!("esx5"),
        json!("thin"),
        json!(text),
        json!([]),
        json!(["a", "b", "a"]),
        json!([text, "a"]),
        json!(["a", null]),
        json!([1]),
        json!([{"virtualbox": {"k": 1}}, {"virtualbox": text}, null]),
        json!([["a"]]),
        json!({}),
        json!({"a": text, "b": [text], "c": {"d": text}, "virtualbox": {"e": text}}),
        json!({"exlude_from_latest": true, "exclude_from_latest": text}),
    ]
}

/// A stream of numbers that looks random and is the same for one seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Values that are an error in some place come seldom, or most templates would be errors.
    fn value(&mut self, key: &str) -> Value {
        loop {
            let value = self.pick(&values()).clone();
            let is_fatal = match key {
                "override" => !(value.is_object() || value.is_null()),
                "elevated_user" | "elevated_password" => !value.is_string(),
                "ssh_private_ip" => !(value.is_boolean() || value == "true" || value == "F"),
                "image_labels" => !(value.is_string() || value.is_object()),
                "network_adapters" | "storage" => !value.is_array(),
                "tag" | "tags" => value.as_array().is_some_and(|tags| tags.iter().any(|tag| !tag.is_string())),
                _ => false,
            };
            if !is_fatal || self.one_in(60) {
                return value;
            }
        }
    }

    fn part(&mut self, kinds: &[(&str, &[&str])]) -> Value {
        let (type_name, keys) = self.pick(kinds);
        let mut part = Map::from_iter([("type".to_owned(), json!(type_name))]);
        for _ in 0..=self.below(4) {
            // Now and then a key of another type, which must not be touched.
            let keys = if self.one_in(6) { self.pick(kinds).1 } else { keys };
            let key = *self.pick(keys);
            let value = self.value(key);
            part.insert(key.to_owned(), value);
        }
        if self.one_in(300) {
            part.remove("type");
        }
        Value::Object(part)
    }

    fn parts(&mut self, kinds: &[(&str, &[&str])], most: usize) -> Vec<Value> {
        (0..self.below(most + 1)).map(|_| self.part(kinds)).collect()
    }

    fn template(&mut self) -> Value {
        let mut template = Map::new();
        if !self.one_in(10) {
            template.insert("builders".to_owned(), json!(self.parts(&BUILDERS, 4)));
        }
        if self.one_in(2) {
            let mut provisioners = self.parts(&PROVISIONERS, 3);
            if self.one_in(10) {
                provisioners.push(json!([self.part(&PROVISIONERS), {"name": "merged"}]));
            }
            template.insert("provisioners".to_owned(), json!(provisioners));
        }
        if self.one_in(2) {
            let mut post_processors = self.parts(&POST_PROCESSORS, 2);
            if self.one_in(2) {
                post_processors.push(json!(self.parts(&POST_PROCESSORS, 3)));
            }
            if self.one_in(4) {
                post_processors.push(self.pick(&values()).clone());
            }
            template.insert("post-processors".to_owned(), json!(post_processors));
        }
        if self.one_in(20) {
            let section = *self.pick(&["builders", "provisioners", "post-processors", "variables"]);
            let value = self.pick(&values()).clone();
            template.insert(section.to_owned(), value);
        }
        Value::Object(template)
    }
}

fn grid() -> Vec<Value> {
    let mut templates = Vec::new();
    let mut add = |section: &str, kinds: &[(&str, &[&str])]| {
        for (type_name, keys) in kinds {
            for key in *keys {
                for value in values() {
                    templates.push(json!({section: [{"type": type_name, *key: value}]}));
                }
            }
        }
    };
    add("builders", &BUILDERS);
    add("provisioners", &PROVISIONERS);
    add("post-processors", &POST_PROCESSORS);
    for section in ["builders", "provisioners", "post-processors"] {
        templates.extend(values().into_iter().map(|value| json!({ section: value })));
        templates.extend(values().into_iter().map(|value| json!({ section: [value] })));
    }
    templates
}

#[test]
#[ignore = "needs packer 1.6.6"]
fn packer_and_we_fix_generated_templates_alike() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let mut dice = Dice(number("FIX_SEED", 0x9e37_79b9_7f4a_7c15));
    let mut templates = if std::env::var_os("FIX_GRID").is_some() { grid() } else { Vec::new() };
    templates.extend((0..number("FIX_CASES", 100)).map(|_| dice.template()));

    let work = std::env::temp_dir().join(format!("packer-fix-generated-{}", std::process::id()));
    let (errors, next) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let differences: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let (work, templates, errors, next) = (work.join(worker.to_string()), &templates, &errors, &next);
                scope.spawn(move || {
                    fs::create_dir_all(&work).unwrap();
                    let mut differences = Vec::new();
                    while let Some(template) = templates.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let theirs = packer(&work, template);
                        let ours = fix(template.clone()).map(|fixed| print(&fixed.template));
                        errors.fetch_add(usize::from(ours.is_err()), Ordering::Relaxed);
                        if ours.as_ref().ok() != theirs.as_ref() {
                            differences.push(format!("{template}\nours: {ours:?}\ntheirs: {theirs:?}"));
                        }
                    }
                    differences
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    fs::remove_dir_all(&work).unwrap();
    assert!(
        differences.is_empty(),
        "{} of {} differ, such as\n{}",
        differences.len(),
        templates.len(),
        differences[..differences.len().min(5)].join("\n\n")
    );
    eprintln!("{} templates alike, {} of them errors", templates.len(), errors.into_inner());
}

/// What Packer prints, or nothing if it fails.
fn packer(work: &Path, template: &Value) -> Option<String> {
    let file = work.join("template.json");
    fs::write(&file, template.to_string()).unwrap();
    let packer = Command::new("packer")
        .args(["fix", "-validate=false"])
        .arg(&file)
        // A crash leaves its log in the working directory.
        .current_dir(work)
        .env("CHECKPOINT_DISABLE", "1")
        .output()
        .unwrap();
    packer.status.success().then(|| String::from_utf8(packer.stdout).unwrap())
}
