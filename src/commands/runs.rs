//! `rpk runs` and `rpk timeline`: what earlier runs did, and when.

use rpk_runtime::cache::Cache;
use rpk_runtime::failure::{Failure, Outcome};
use serde_json::{Value as Json, json};

use crate::cli::{Format, RunsArguments, TimelineArguments};
use crate::exit::Exit;
use crate::report::record::{Summary, events, runs};
use crate::report::{Screen, timeline, write_out};

/// Lists runs, or the nodes of one, or what one node printed.
pub fn run(arguments: &RunsArguments) -> Exit {
    let shown = Cache::find().and_then(|cache| match (&arguments.run, &arguments.node) {
        (None, _) => Ok(list(&runs(cache.root()), arguments.format)),
        (Some(run), node) => {
            let run = find(&cache, Some(run))?;
            let events = read(&cache, &run)?;
            match node {
                Some(node) => log(&events, node),
                None => Ok(nodes(&run, &events)),
            }
        }
    });
    finish(shown, &Screen::new(&arguments.output))
}

/// Draws when the nodes of a run ran.
pub fn timeline(arguments: &TimelineArguments) -> Exit {
    let drawn = Cache::find().and_then(|cache| {
        let run = find(&cache, arguments.run.as_deref())?;
        Ok(timeline::svg(&timeline::spans(&read(&cache, &run)?)))
    });
    finish(drawn, &Screen::new(&arguments.output))
}

fn finish(text: Outcome<String>, screen: &Screen) -> Exit {
    match text {
        Ok(text) => {
            write_out(&text);
            Exit::Success
        }
        Err(failure) => {
            screen.failure(&failure);
            Exit::Failure
        }
    }
}

/// Finds a run by the beginning of its id; without one, the last run.
fn find(cache: &Cache, wanted: Option<&str>) -> Outcome<Summary> {
    let all = runs(cache.root());
    let found = all.into_iter().find(|run| wanted.is_none_or(|wanted| run.run.starts_with(wanted)));
    found.ok_or_else(|| match wanted {
        Some(wanted) => Failure::new(format!("there is no run `{wanted}`")).help("`rpk runs` lists them"),
        None => Failure::new("nothing has been run yet").help("`rpk apply` runs a template"),
    })
}

fn read(cache: &Cache, run: &Summary) -> Outcome<Vec<Json>> {
    events(cache.root(), &run.run)
        .map_err(|error| Failure::new(error.to_string()).context(format!("reading the record of run {}", run.run)))
}

fn list(runs: &[Summary], format: Format) -> String {
    if format == Format::Json {
        return format!("{}\n", json!({ "format_version": "1.0", "runs": runs }));
    }
    let mut text = String::new();
    for run in runs {
        let took = run.duration_s.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s"));
        text.push_str(&format!(
            "{}  {}  {:<9}  {took:>9}  {} ran, {} cached  {}\n",
            run.short_id(),
            run.started.strftime("%Y-%m-%d %H:%M:%S"),
            run.status.as_deref().unwrap_or("unended"),
            run.run_nodes,
            run.cached_nodes,
            run.template
        ));
    }
    if runs.is_empty() {
        text.push_str("no runs yet\n");
    }
    text
}

fn nodes(run: &Summary, events: &[Json]) -> String {
    let mut text = format!("Run {} of {}\n", run.run, run.template);
    for event in events.iter().filter(|event| event["event"] == "node_finished") {
        let took = event["duration_s"].as_f64().unwrap_or_default();
        text.push_str(&format!(
            "  {:<9}  {took:>8.2} s  {}\n",
            event["status"].as_str().unwrap_or_default(),
            event["node"].as_str().unwrap_or_default()
        ));
        if let Some(message) = event["error"]["message"].as_str() {
            text.push_str(&format!("             {message}\n"));
        }
    }
    text
}

fn log(events: &[Json], node: &str) -> Outcome<String> {
    let of_node = |event: &&Json| event["node"] == node;
    if !events.iter().any(|event| of_node(&event)) {
        return Err(Failure::new(format!("the run has no node `{node}`")).help("`rpk runs RUN` lists its nodes"));
    }
    let lines = events.iter().filter(of_node).filter_map(|event| event["line"].as_str());
    Ok(lines.fold(String::new(), |text, line| text + line + "\n"))
}
