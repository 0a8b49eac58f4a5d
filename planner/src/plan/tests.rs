//! Plans on a made-up catalog and a store in memory; what apply would do is played, and what it gives compared with
//! what a run from nothing gives.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::catalog::{
    ArtifactFlow, ArtifactKind, Catalog, ComponentKind, ComponentSpec, Reads, Recipe, string, string_list,
};
use crate::graph::{Edge, NodeKind};
use crate::key::InputValue;
use crate::lower::{Inputs, Selection, lower};
use crate::span::Sources;
use crate::template::json::read;

mod compared;
mod named;
mod rendered;
mod shared;

struct Components(Vec<ComponentSpec>);

impl Components {
    fn new() -> Self {
        let flow =
            ArtifactFlow { takes: &[], gives: Some(ArtifactKind::Files), keeps_input: true, keep_is_forced: false };
        Self(vec![
            ComponentSpec::new(ComponentKind::Builder, "box")
                .options([string("image", ""), string_list("changes", ""), string("password", "").sensitive()])
                .recipe(
                    Recipe::cacheable(1).image_option("image").capture_only(&["changes"]).immaterial(&["password"]),
                ),
            ComponentSpec::new(ComponentKind::Provisioner, "shell")
                .options([string_list("inline", ""), string("script", "")])
                .recipe(Recipe::cacheable(1).reads(|settings, _| {
                    let script = settings.get("script").and_then(Json::as_str);
                    script.map(|path| Reads { path: path.to_owned(), is_tree: false }).into_iter().collect()
                })),
            ComponentSpec::new(ComponentKind::Provisioner, "local")
                .options([string_list("inline", "")])
                .recipe(Recipe::never("`local` changes this machine")),
            ComponentSpec::new(ComponentKind::PostProcessor, "pack")
                .options([string("target", "")])
                .flow(flow.clone())
                .recipe(Recipe::cacheable(1)),
            ComponentSpec::new(ComponentKind::PostProcessor, "push")
                .options([string("target", "")])
                .flow(flow)
                .recipe(Recipe::never("`push` changes a registry")),
        ])
    }
}

impl Catalog for Components {
    fn find(&self, kind: ComponentKind, name: &str) -> Option<&ComponentSpec> {
        self.0.iter().find(|spec| spec.kind == kind && spec.name == name)
    }

    fn names(&self, _: ComponentKind) -> Vec<&str> {
        Vec::new()
    }
}

/// A template with the world that it meets.
#[derive(Clone, Debug)]
struct World {
    template: Json,
    variables: Vec<(String, String)>,
    files: HashMap<String, String>,
    images: HashMap<String, String>,
}

impl World {
    fn new() -> Self {
        let template = json!({
            "variables": {"tag": "1", "derived": "v{{user `tag`}}", "secret": "hunter2"},
            "sensitive-variables": ["secret"],
            "builders": [{"type": "box", "name": "web", "image": "base", "changes": ["CMD a"], "password": "pw-pw-pw"}],
            "provisioners": [
                {"type": "shell", "inline": ["one", "two {{user `derived`}}"]},
                {"type": "shell", "script": "a.sh"},
                {"type": "shell", "inline": ["login {{user `secret`}}"]}
            ],
            "post-processors": [{"type": "pack", "target": "out"}]
        });
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Self {
            template,
            variables: Vec::new(),
            files: pairs(&[("a.sh", "script")]),
            images: pairs(&[("base", "sha256:1")]),
        }
    }

    fn graph(&self) -> Graph {
        self.graph_at(0)
    }

    fn graph_at(&self, seed: u64) -> Graph {
        let mut sources = Sources::default();
        let file = sources.add("t.json", self.template.to_string());
        let (template, problems) = read(&sources, file);
        let template = template.unwrap_or_else(|| panic!("{problems:?}"));
        let inputs = Inputs { variables: self.variables.clone(), seed, ..Inputs::default() };
        let (graph, problems) = lower(&template, &inputs, &Selection::default(), &Components::new());
        graph.unwrap_or_else(|| panic!("{problems:?}"))
    }

    fn facts(&self, graph: &Graph) -> HashMap<NodeId, NodeFacts> {
        let content = |digest: &str| InputValue::Content { digest: digest.to_owned(), size_bytes: None };
        let of = |node: &Node| {
            let files = node.reads.iter().filter_map(|read| {
                let text = self.files.get(&read.path)?;
                Some(Input::new(format!("file:{}", read.path), content(text)))
            });
            let image = node.settings.get("image").and_then(Json::as_str).filter(|_| node.kind == NodeKind::Boot);
            let image = image.and_then(|name| self.images.get(name)).map(|digest| Input::new("image", content(digest)));
            NodeFacts { contents: files.chain(image).collect() }
        };
        graph.nodes().map(|node| (node.id.clone(), of(node))).collect()
    }

    fn plan(&self, store: &Store, options: Options) -> Plan {
        let graph = self.graph();
        let facts = self.facts(&graph);
        plan(graph, &facts, store, options)
    }
}

/// A store in memory. Beside what the planner asks for it keeps what each result holds.
#[derive(Clone, Debug, Default)]
struct Store {
    results: HashMap<CacheKey, (Stored, String)>,
    last: HashMap<NodeId, LastRun>,
    runs: usize,
}

impl CacheIndex for Store {
    fn stored(&self, key: &CacheKey) -> Option<Stored> {
        self.results.get(key).map(|(stored, _)| stored.clone())
    }

    fn last(&self, node: &NodeId) -> Option<&LastRun> {
        self.last.get(node)
    }

    fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    fn secret(&self) -> &[u8; 32] {
        &[7; 32]
    }
}

impl Store {
    /// Plays apply; returns what each node holds afterwards.
    fn apply(&mut self, plan: &Plan, has_snapshot: impl Fn(usize) -> bool) -> Vec<Option<String>> {
        let mut held: Vec<Option<String>> = Vec::new();
        let mut consumed = Vec::new();
        for step in plan.steps() {
            let key = step.decision.key;
            let content = match step.action {
                Action::Skip => None,
                Action::Unknown => panic!("everything is known here"),
                // A boot or a provisioner that is passed over has nothing to show unless it is started from.
                Action::Reuse => key.and_then(|key| self.results.get(&key)).map(|(_, content)| content.clone()),
                Action::Run => {
                    self.runs += 1;
                    let mut given = Vec::new();
                    for (edge, from) in plan.graph.inputs_at(step.place).filter(|(edge, _)| *edge != Edge::Order) {
                        let upstream = plan.step(&plan.graph.at(from).id).expect("it has a step");
                        let is_there = match (upstream.action, edge) {
                            (Action::Run, _) => true,
                            (Action::Reuse, Edge::Machine) => upstream.decision.is_start,
                            (Action::Reuse, _) => {
                                let stored = self.stored(&upstream.decision.key.expect("it is reused"));
                                stored.is_some_and(|stored| stored.state == StoredState::Available)
                            }
                            _ => false,
                        };
                        assert!(is_there, "{} needs {}", step.node.id, upstream.node.id);
                        given.push(held[from].clone().expect("it holds something"));
                        if !step.node.keeps_input {
                            consumed.extend(upstream.decision.key);
                        }
                    }
                    Some(result(plan, step.node, given))
                }
            };
            if let (Action::Run, Some(content)) = (step.action, &content) {
                let took = Duration::from_secs(2);
                if let Some(key) = key.filter(|_| step.is_cacheable()) {
                    let is_kept = matches!(step.node.kind, NodeKind::Provision { .. }) && has_snapshot(step.place);
                    let stored = Stored { state: StoredState::Available, has_snapshot: is_kept, took };
                    self.results.insert(key, (stored, content.clone()));
                }
                let last = LastRun { key, inputs: plan.inputs(&step.node.id), took };
                self.last.insert(step.node.id.clone(), last);
            }
            held.push(content);
        }
        // An artifact goes once the last of its readers has ended.
        for key in consumed {
            if let Some((stored, _)) = self.results.get_mut(&key) {
                stored.state = StoredState::Consumed;
            }
        }
        held
    }
}

/// What running a node gives, worked out without any key.
fn result(plan: &Plan, node: &Node, given: Vec<String>) -> String {
    let mut settings = (*node.settings).clone();
    settings.remove("password");
    match node.kind {
        NodeKind::Boot => drop((settings.remove("changes"), settings.remove("image"))),
        NodeKind::Capture => drop(settings.remove("image")),
        _ => {}
    }
    let place = plan.graph.place(&node.id).expect("it is in the graph");
    let facts = plan.facts[place].as_ref().map(|facts| &facts.contents);
    format!("{}({} {facts:?} {given:?})", node.component, Json::Object(settings))
}

fn running(plan: &Plan) -> Vec<&str> {
    plan.steps().filter(|step| step.action == Action::Run).map(|step| step.node.id.as_str()).collect()
}

fn named(plan: &Plan, node: &str) -> Vec<String> {
    let step = plan.steps().find(|step| step.node.id.as_str() == node).expect("there is such a node");
    step.reason.changes().iter().map(|change| change.input.clone()).collect()
}

fn built() -> (World, Store) {
    let (world, mut store) = (World::new(), Store::default());
    let plan = world.plan(&store, Options::default());
    assert_eq!(running(&plan).len(), 6);
    assert!(plan.steps().all(|step| *step.reason == Reason::NeverBuilt));
    store.apply(&plan, |_| true);
    (world, store)
}

#[test]
fn nothing_runs_twice() {
    let (world, store) = built();
    let plan = world.plan(&store, Options::default());
    assert_eq!(running(&plan), [""; 0]);
    assert_eq!(plan.summary().cached, 6);
}

#[test]
fn a_change_of_one_input_runs_what_depends_on_it_and_is_told_by_its_name() {
    type Edit = fn(&mut World);
    let cases: [(&str, Edit, &str, &[&str]); 9] = [
        ("web/provision/0", |world| world.template["provisioners"][0]["inline"][0] = "eins".into(), "inline[0]", &[]),
        ("web/provision/0", |world| world.variables.push(("tag".into(), "2".into())), "var:tag", &[]),
        (
            "web/provision/0",
            |world| world.template["variables"]["derived"] = "w{{user `tag`}}".into(),
            "inline[1]",
            &[],
        ),
        (
            "web/provision/1",
            |world| drop(world.files.insert("a.sh".into(), "other".into())),
            "file:a.sh",
            &["web/provision/0"],
        ),
        (
            "web/provision/1",
            |world| {
                world.template["provisioners"][1]["script"] = "b.sh".into();
                world.files.insert("b.sh".into(), "script".into());
            },
            "script",
            &["web/provision/0"],
        ),
        (
            "web/provision/2",
            |world| world.variables.push(("secret".into(), "swordfish".into())),
            "var:secret",
            &["web/provision/1"],
        ),
        (
            "web/capture",
            |world| world.template["builders"][0]["changes"][0] = "CMD b".into(),
            "changes[0]",
            &["web/provision/2"],
        ),
        (
            "web/post-process/0.0",
            |world| world.template["post-processors"][0]["target"] = "in".into(),
            "target",
            &["web/capture"],
        ),
        ("web/boot", |world| drop(world.images.insert("base".into(), "sha256:2".into())), "image", &[]),
    ];
    for (node, edit, input, cached) in cases {
        let (mut world, store) = built();
        edit(&mut world);
        let plan = world.plan(&store, Options::default());
        assert_eq!(named(&plan, node), [input], "{node}");
        for step in plan.steps() {
            let is_other = step.node.id.as_str() != node;
            assert!(!is_other || step.reason.changes().is_empty(), "{node}: {} {:?}", step.node.id, step.reason);
            if cached.contains(&step.node.id.as_str()) {
                assert_eq!(step.action, Action::Reuse, "{node}");
            }
        }
        let text = crate::render::plan_text(&plan, false) + &crate::render::plan_json(&plan, "0", Vec::new());
        assert!(!text.contains("hunter2") && !text.contains("swordfish"), "{text}");
    }
}

#[test]
fn what_cannot_change_a_result_changes_no_key() {
    let (mut world, store) = built();
    world.template["builders"][0]["password"] = "another".into();
    assert_eq!(running(&world.plan(&store, Options::default())), [""; 0]);
}

#[test]
fn a_lane_starts_from_the_nearest_snapshot() {
    for (snapshots, ran) in [(vec![1, 2], 3), (vec![1], 4), (vec![], 5)] {
        let (mut world, mut store) = (World::new(), Store::default());
        let first = world.plan(&store, Options::default());
        store.apply(&first, |place| snapshots.contains(&place));
        world.template["provisioners"][2]["inline"][0] = "new".into();
        let plan = world.plan(&store, Options::default());
        // The changed provisioner, capture and post-processor come on top of what has to be made good.
        assert_eq!(running(&plan).len(), ran + usize::from(snapshots.is_empty()), "{snapshots:?}");
    }
}

#[test]
fn a_consumed_artifact_is_made_again_only_for_a_reader_that_runs() {
    let mut world = World::new();
    world.template["post-processors"][0]["keep_input_artifact"] = false.into();
    let mut store = Store::default();
    store.apply(&world.plan(&store.clone(), Options::default()), |_| true);
    assert_eq!(running(&world.plan(&store, Options::default())), [""; 0]);
    world.template["post-processors"][0]["target"] = "in".into();
    let plan = world.plan(&store, Options::default());
    assert_eq!(running(&plan), ["web/capture", "web/post-process/0.0"]);
}

#[test]
fn a_damaged_artifact_is_made_again() {
    let (world, mut store) = built();
    let plan = world.plan(&store, Options::default());
    let key = plan.steps().last().and_then(|step| step.decision.key).expect("it has a key");
    store.results.get_mut(&key).expect("it is stored").0.state = StoredState::Damaged("out was deleted".to_owned());
    let plan = world.plan(&store, Options::default());
    assert_eq!(running(&plan), ["web/post-process/0.0"]);
    assert_eq!(plan.steps().last().map(|step| step.reason.code()), Some("artifact-missing"));
}

#[test]
fn an_image_that_nobody_has_seen_leaves_the_lane_open() {
    let (mut world, store) = built();
    world.images.clear();
    let plan = world.plan(&store, Options::default());
    assert!(plan.steps().all(|step| step.action == Action::Unknown && step.reason.code() == "upstream-unknown"));
    // Where nothing is stored there is nothing to doubt.
    let plan = world.plan(&Store::default(), Options::default());
    assert!(plan.steps().all(|step| step.action == Action::Run && step.reason.code() == "never-built"));
    assert!(plan.steps().all(|step| step.decision.key.is_none()));
}

#[test]
fn a_key_is_made_up_for_once_the_image_is_there() {
    let (mut world, store) = built();
    let expected: Vec<_> = world.plan(&store, Options::default()).steps().map(|step| step.decision.key).collect();
    let image = world.images.clone();
    world.images.clear();
    let mut plan = world.plan(&Store::default(), Options::default());
    let boot = plan.graph.nodes().next().map(|node| node.id.clone()).expect("it has a boot");
    let digest = image.into_values().next().expect("it has an image");
    plan.learn(&boot, Input::new("image", InputValue::Content { digest, size_bytes: None }));
    assert_eq!((0..plan.graph.node_count()).map(|place| plan.key_at(place)).collect::<Vec<_>>(), expected);
}

#[test]
fn the_command_line_forces_and_chooses() {
    let (world, store) = built();
    let id = |text: &str| world.graph().nodes().find(|node| node.id.as_str() == text).map(|node| node.id.clone());
    let no_cache = Options { no_cache: true, ..Options::default() };
    assert_eq!(running(&world.plan(&store, no_cache)).len(), 6);
    let from = Options { no_cache_from: id("web/capture").into_iter().collect(), ..Options::default() };
    assert_eq!(running(&world.plan(&store, from)), ["web/capture", "web/post-process/0.0"]);
    let target = Options { targets: id("web/provision/0").into_iter().collect(), ..Options::default() };
    let plan = world.plan(&Store::default(), target);
    assert_eq!(plan.summary().skipped, 4);
    assert_eq!(running(&plan), ["web/boot", "web/provision/0"]);
}

fn a_world() -> impl Strategy<Value = World> {
    let provisioner = prop_oneof![
        4 => "[a-c]{1,2}".prop_map(|line| json!({"type": "shell", "inline": [line]})),
        2 => "[ab]".prop_map(|name| json!({"type": "shell", "script": name + ".sh"})),
        2 => "[a-c]".prop_map(|line| json!({"type": "shell", "inline": [line + "{{user `tag`}}"]})),
        1 => Just(json!({"type": "local", "inline": ["x"]})),
        1 => Just(json!({"type": "shell", "inline": ["{{uuid}}"]})),
    ];
    let step = ("[ab]", prop::bool::ANY, prop::bool::weighted(0.2)).prop_map(|(name, keeps, is_push)| {
        json!({"type": if is_push { "push" } else { "pack" }, "target": name, "keep_input_artifact": keeps})
    });
    (
        prop::collection::vec(provisioner, 0..4),
        prop::collection::vec(prop::collection::vec(step, 1..3), 0..3),
        1..3_usize,
        ("[ab]", "[ab]", "[ab]", "[ab]"),
    )
        .prop_map(|(provisioners, post_processors, builds, (tag, a, b, image))| {
            let builders: Vec<Json> =
                (0..builds).map(|index| json!({"type": "box", "name": format!("b{index}"), "image": "base"})).collect();
            World {
                template: json!({
                    "variables": {"tag": tag}, "builders": builders,
                    "provisioners": provisioners, "post-processors": post_processors
                }),
                variables: Vec::new(),
                files: HashMap::from([("a.sh".into(), a), ("b.sh".into(), b)]),
                images: HashMap::from([("base".into(), image)]),
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    // Whatever was built and evicted before: what a plan does not run is what a run from nothing would give.
    #[test]
    fn no_result_is_ever_stale(worlds in prop::collection::vec(a_world(), 1..6), seed in any::<u64>()) {
        let mut store = Store::default();
        for (round, world) in worlds.iter().enumerate() {
            let chance = |place: usize, salt: u64| {
                (seed ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(place as u32 % 64) & 3
            };
            let plan = world.plan(&store, Options::default());
            let held = store.apply(&plan, |place| chance(place, round as u64) > 1);
            let fresh_plan = world.plan(&Store::default(), Options::default());
            let fresh = Store::default().apply(&fresh_plan, |_| false);
            for ((step, held), fresh) in plan.steps().zip(&held).zip(&fresh) {
                // Ids are others at each run.
                if held.as_ref().is_some_and(|text| !text.contains('-')) {
                    prop_assert_eq!(held, fresh, "{}", step.node.id);
                }
            }
            // Once more: what runs now is what always does, and what hangs on it.
            let again = world.plan(&store, Options::default());
            for step in again.steps().filter(|step| step.action == Action::Run) {
                prop_assert!(
                    !step.is_cacheable() || matches!(step.reason, Reason::UpstreamRuns(_) | Reason::StateMissing(_) | Reason::CacheEvicted | Reason::InputChanged(_)),
                    "{} {:?}", step.node.id, step.reason
                );
            }
            let evicted: Vec<CacheKey> = store.results.keys().filter(|key| chance(key.as_bytes()[0].into(), 9) == 0).copied().collect();
            for key in evicted {
                store.results.remove(&key);
            }
        }
    }
}
