//! Plans with nodes in all states, in all forms, as recorded in `snapshots/plan/`.

use super::*;
use crate::render::{comparison_markdown, comparison_text, plan_json, plan_markdown, plan_text};

/// One node of each kind: changed, uncached by it, evicted, cached, always run, unknown, left out.
fn states() -> (World, Store) {
    let mut world = World::new();
    world.template["builders"].as_array_mut().expect("a list").extend([
        json!({"type": "box", "name": "moved", "image": "edge"}),
        json!({"type": "box", "name": "unseen", "image": "nobody"}),
        json!({"type": "box", "name": "kept", "image": "base"}),
    ]);
    world.template["provisioners"].as_array_mut().expect("a list").extend([
        json!({"type": "local", "inline": ["date | tee *log*"], "only": ["moved"]}),
        json!({"type": "shell", "inline": ["{{isotime}}"], "only": ["moved"]}),
    ]);
    world
        .images
        .insert("edge".into(), "sha256:5d779fe9213b85c1abaf078de99cbd89f19a6e48b4672862c1222c72c2ed9626".into());
    let mut store = Store::default();
    world.images.insert("nobody".into(), "sha256:3".into());
    world.template["provisioners"][1]["only"] = json!(["web"]);
    store.apply(&world.plan(&store.clone(), Options::default()), |_| true);
    world.images.remove("nobody");
    for last in store.last.values_mut() {
        last.took = Duration::from_secs(10);
    }
    let evicted = world.plan(&store, Options::default());
    let key = evicted
        .steps()
        .find(|step| step.node.id.as_str() == "kept/post-process/0.0")
        .and_then(|step| step.decision.key);
    store.results.remove(&key.expect("it has a key"));
    world.files.insert("a.sh".into(), "other".into());
    world
        .images
        .insert("edge".into(), "sha256:ffffffe9213b85c1abaf078de99cbd89f19a6e48b4672862c1222c72c2ed9626".into());
    (world, store)
}

#[test]
fn plans_of_all_states_are_written_as_recorded() {
    let (world, store) = states();
    let options = Options {
        template: "template.json".to_owned(),
        engine: Some(crate::plan::Engine { name: "docker".to_owned(), detail: String::new() }),
        parallel_builds: Some(1),
        ..Options::default()
    };
    let plan = world.plan(&store, options);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../../snapshots/plan");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let before = World::new().plan(&store, Options::default()).record();
    let comparison = plan.compare(&before);
    settings.bind(|| {
        insta::assert_snapshot!("states-text", plan_text(&plan, false));
        insta::assert_snapshot!("states-json", plan_json(&plan, "[VERSION]", Vec::new()));
        insta::assert_snapshot!("states-markdown", plan_markdown(&plan));
        insta::assert_snapshot!("states-against-text", comparison_text(&plan, &comparison, "main", false));
        insta::assert_snapshot!("states-against-markdown", comparison_markdown(&plan, &comparison, "main"));
    });
}

#[test]
fn the_estimate_follows_the_number_of_builds_at_a_time() {
    let (mut world, mut store) = (World::new(), Store::default());
    world.template["builders"]
        .as_array_mut()
        .expect("a list")
        .push(json!({"type": "box", "name": "x", "image": "base"}));
    store.apply(&world.plan(&store.clone(), Options::default()), |_| true);
    for (parallel_builds, seconds) in [(None, 12), (Some(1), 24), (Some(2), 12), (Some(9), 12)] {
        let options = Options { no_cache: true, parallel_builds, ..Options::default() };
        let estimate = world.plan(&store, options).estimate().expect("all was run before");
        assert_eq!(estimate.wall, Duration::from_secs(seconds), "{parallel_builds:?}");
        assert_eq!(estimate.critical_path.len(), 6);
        assert!(estimate.is_whole);
    }
    assert_eq!(world.plan(&Store::default(), Options::default()).estimate(), None);
    world.template["post-processors"][0] = json!([{"type": "pack"}, {"type": "push"}]);
    let options = Options { no_cache: true, ..Options::default() };
    let plan = world.plan(&store, options);
    assert!(!plan.estimate().expect("most was run before").is_whole);
    assert!(
        plan_text(&plan, false).contains(", at least 12 s\nCritical path: web/boot → "),
        "{}",
        plan_text(&plan, false)
    );
}

#[test]
fn the_markdown_of_a_large_plan_fits_a_comment() {
    let mut world = World::new();
    let step = json!({"type": "shell", "inline": ["x".repeat(150)]});
    world.template["provisioners"] = Json::Array(vec![step; 2000]);
    let before = world.plan(&Store::default(), Options::default());
    world.template["provisioners"] = Json::Array(vec![json!({"type": "shell", "inline": ["y".repeat(150)]}); 2000]);
    let plan = world.plan(&Store::default(), Options::default());
    let comparison = plan.compare(&before.record());
    for text in [plan_markdown(&plan), comparison_markdown(&plan, &comparison, "main")] {
        assert!(text.len() < 65_000, "{}", text.len());
        assert!(text.contains("more nodes"));
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}
