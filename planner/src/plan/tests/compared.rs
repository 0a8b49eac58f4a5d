//! What a change does to a plan, and why a saved plan no longer holds.

use super::*;
use crate::plan::{Comparison, Difference, PlanRecord, departures};
use crate::render::{comparison_json, comparison_markdown, comparison_text, plan_json};

fn differences(comparison: &Comparison) -> Vec<(&str, &str)> {
    comparison.nodes.iter().map(|node| (node.id.as_str(), node.difference.word())).collect()
}

/// Plans before and after an edit, with the same store.
fn compared(edit: impl FnOnce(&mut World), store: &Store) -> (PlanRecord, Plan) {
    let mut world = World::new();
    let before = world.plan(store, Options::default()).record();
    edit(&mut world);
    (before, world.plan(store, Options::default()))
}

#[test]
fn a_change_is_told_with_all_that_hangs_on_it() {
    let (_, store) = built();
    let (before, after) = compared(|world| world.template["provisioners"][2]["inline"][0] = "new".into(), &store);
    let comparison = after.compare(&before);
    assert_eq!(
        differences(&comparison),
        [("web/provision/2", "changed"), ("web/capture", "stale"), ("web/post-process/0.0", "stale")]
    );
    assert!(matches!(&comparison.nodes[2].difference, Difference::Stale(cause) if cause == "web/provision/2"));
    assert_eq!((comparison.reruns(), comparison.total), (3, 6));
    let text = comparison_text(&after, &comparison, "main", false);
    assert!(text.ends_with("\nThis change re-runs 3 of 6 nodes.\n"), "{text}");
    assert!(text.contains("because of web/provision/2"), "{text}");
}

#[test]
fn without_any_store_a_change_is_told_alike() {
    let empty = Store::default();
    let (before, after) = compared(|world| world.template["provisioners"][2]["inline"][0] = "new".into(), &empty);
    assert_eq!(after.compare(&before).reruns(), 3);
    let (before, after) = compared(|_| {}, &empty);
    assert_eq!(differences(&after.compare(&before)), []);
}

#[test]
fn nodes_come_and_go() {
    let (_, store) = built();
    let step = json!({"type": "pack", "target": "two"});
    let (before, after) =
        compared(|world| world.template["post-processors"].as_array_mut().expect("a list").push(step), &store);
    let comparison = after.compare(&before);
    assert_eq!(differences(&comparison), [("web/post-process/1.0", "added")]);
    let text = comparison_text(&after, &comparison, "x", false);
    assert!(text.contains("re-runs 1 of 7 nodes, which is new."), "{text}");

    let (before, after) =
        compared(|world| drop(world.template["provisioners"].as_array_mut().expect("a list").pop()), &store);
    let comparison = after.compare(&before);
    assert_eq!(
        differences(&comparison),
        [("web/capture", "stale"), ("web/post-process/0.0", "stale"), ("web/provision/2", "removed")]
    );
    assert!(comparison_text(&after, &comparison, "x", false).contains("re-runs 2 of 5 nodes; 1 removed."));
}

#[test]
fn a_lost_snapshot_makes_nodes_run_that_have_not_changed() {
    let (mut world, mut store) = (World::new(), Store::default());
    store.apply(&world.plan(&store.clone(), Options::default()), |_| false);
    let before = world.plan(&store, Options::default()).record();
    world.template["provisioners"][2]["inline"][0] = "new".into();
    let comparison = world.plan(&store, Options::default()).compare(&before);
    assert_eq!(comparison.count("uncached"), 3, "{:?}", differences(&comparison));
    assert_eq!(comparison.reruns(), 6);
}

#[test]
fn what_is_another_each_time_is_no_change() {
    let uuid = |world: &mut World| world.template["provisioners"][1] = json!({"type": "shell", "inline": ["{{uuid}}"]});
    let store = Store::default();
    let mut world = World::new();
    uuid(&mut world);
    let before = world.plan(&store, Options::default()).record();
    let graph = world.graph_at(7);
    let facts = world.facts(&graph);
    let after = plan(graph, &facts, &store, Options::default());
    assert_ne!(before, after.record());
    assert_eq!(differences(&after.compare(&before)), []);
}

#[test]
fn what_cannot_change_a_result_is_told_but_runs_nothing() {
    let (_, store) = built();
    let (before, after) = compared(|world| world.template["provisioners"][0]["pause_before"] = "5s".into(), &store);
    let comparison = after.compare(&before);
    assert_eq!(differences(&comparison), [("web/provision/0", "immaterial")]);
    assert_eq!(comparison.reruns(), 0);
}

#[test]
fn a_plan_in_json_is_compared_as_far_as_it_goes() {
    let (_, store) = built();
    let mut world = World::new();
    let json = plan_json(&world.plan(&store, Options::default()), "0", Vec::new());
    let before = PlanRecord::from_json(&serde_json::from_str(&json).expect("it is JSON")).expect("it is a plan");
    assert_eq!(differences(&world.plan(&store, Options::default()).compare(&before)), []);
    world.template["provisioners"][2]["inline"][0] = "new".into();
    let after = world.plan(&store, Options::default());
    let comparison = after.compare(&before);
    assert_eq!(comparison.reruns(), 3);
    assert!(!comparison.is_whole);
    for text in [comparison_text(&after, &comparison, "x", false), comparison_markdown(&after, &comparison, "x")] {
        assert!(text.contains("changes of those are not seen"), "{text}");
    }
    let not_a_plan = json!({"builders": []});
    assert_eq!(PlanRecord::from_json(&not_a_plan), None);
}

#[test]
fn no_form_of_a_comparison_or_record_shows_a_secret() {
    let (_, store) = built();
    let (before, after) = compared(|world| world.variables.push(("secret".into(), "swordfish".into())), &store);
    let comparison = after.compare(&before);
    assert_eq!(comparison.nodes[0].id, "web/provision/2");
    let shown = [
        comparison_text(&after, &comparison, "x", false),
        comparison_markdown(&after, &comparison, "x"),
        comparison_json(&after, &comparison, "x", "0", Vec::new()),
        serde_json::to_string(&before).expect("a record is data"),
        serde_json::to_string(&after.record()).expect("a record is data"),
    ];
    for text in shown {
        assert!(!text.contains("hunter2") && !text.contains("swordfish") && !text.contains("pw-pw-pw"), "{text}");
    }
}

#[test]
fn a_record_survives_being_written_down() {
    let (world, store) = built();
    let record = world.plan(&store, Options::default()).record();
    let text = serde_json::to_string(&record).expect("a record is data");
    assert_eq!(serde_json::from_str::<PlanRecord>(&text).expect("it can be read"), record);
}

#[test]
fn a_saved_plan_holds_as_long_as_nothing_changes() {
    let (world, store) = built();
    let record = world.plan(&store, Options::default()).record();
    assert_eq!(departures(&record, &world.plan(&store, Options::default()).record()), [""; 0]);
}

#[test]
fn each_departure_from_a_saved_plan_is_told_once_and_by_its_name() {
    type Edit = fn(&mut World);
    let cases: [(Edit, &str); 8] = [
        (
            |world| world.template["provisioners"][0]["inline"][0] = "eins".into(),
            "the template changed: `inline[0]` of web/provision/0: one → eins",
        ),
        (|world| drop(world.files.insert("a.sh".into(), "other".into())), "file `a.sh` changed: script → other"),
        (
            |world| drop(world.images.insert("base".into(), "sha256:2".into())),
            "the base image of web/boot changed: sha256:1 → sha256:2",
        ),
        (|world| world.variables.push(("tag".into(), "2".into())), "variable `tag` changed: 1 → 2"),
        (
            |world| world.variables.push(("secret".into(), "x-x-x".into())),
            "variable `secret` is not what it was: sensitive values are not saved, so give it again",
        ),
        (
            |world| world.template["builders"][0]["password"] = "another".into(),
            "the template changed: options of web/boot",
        ),
        (
            |world| world.template["provisioners"][1]["pause_before"] = "5s".into(),
            "the template changed: options of web/provision/1",
        ),
        (
            |world| drop(world.template["post-processors"].as_array_mut().expect("a list").pop()),
            "the template changed: web/post-process/0.0 is gone",
        ),
    ];
    for (edit, words) in cases {
        let (_, store) = built();
        let (before, after) = compared(edit, &store);
        let found = departures(&before, &after.record());
        assert!(found.iter().any(|found| found == words), "{words}: {found:?}");
        // A derived variable and the capture's share of its builder's options come with it.
        assert!(found.len() <= 2, "{words}: {found:?}");
    }
}

#[test]
fn a_store_that_has_lost_or_gained_results_ends_a_saved_plan() {
    let (world, store) = built();
    let with = world.plan(&store, Options::default()).record();
    let without = world.plan(&Store { last: store.last.clone(), ..Store::default() }, Options::default()).record();
    let found = departures(&with, &without);
    assert_eq!(found, ["the stored result of web/boot is gone (never built)"]);
    let found = departures(&without, &with);
    assert_eq!(found, ["web/boot was to run, and its result is stored now"]);
}
